-- The edge: which channels there are, and which machines may call.

CREATE TABLE channels (
    channel    text PRIMARY KEY CHECK (length(channel) BETWEEN 1 AND 64),
    name       text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('marketplace', 'own_shop', 'pos', 'wholesale')),
    currency   text NOT NULL CHECK (length(currency) = 3),
    status     text NOT NULL CHECK (status IN ('active', 'inactive')),
    version    bigint NOT NULL CHECK (version > 0),
    updated_at timestamptz NOT NULL
);

-- Machine clients. The secret is kept as an Argon2id hash; null scopes mean no bound.
CREATE TABLE clients (
    client_id   text PRIMARY KEY CHECK (length(client_id) BETWEEN 1 AND 64),
    name        text NOT NULL,
    secret_hash text NOT NULL,
    permissions text[] NOT NULL,
    channels    text[],
    locations   text[],
    payees      text[],
    created_at  timestamptz NOT NULL
);
