-- Who may earn, by which rules, on what, and how much: everything the rebate service knows beside its ledger.

create table payees (
    code text primary key,
    name text not null,
    kind text not null check (kind in ('store', 'franchisee', 'dealer', 'guide', 'supplier', 'partner')),
    status text not null check (status in ('active', 'inactive')),
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- A payee holds a role for a subject during a half-open stretch of time. Stretches of one role and subject do not
-- overlap: they are written under a lock of the subject, and the index below keeps two from being open at once.
create table bindings (
    binding_id uuid primary key,
    role text not null check (role in ('guide', 'service_store', 'performance_store', 'dealer')),
    subject_kind text not null check (subject_kind in ('member', 'store', 'location')),
    subject text not null,
    payee text not null references payees (code),
    from_at timestamptz not null,
    until_at timestamptz check (until_at > from_at),
    protected_until timestamptz,
    evidence text,
    created_by text not null,
    created_at timestamptz not null
);
create index bindings_by_subject on bindings (subject, subject_kind, role, from_at);
create index bindings_by_payee on bindings (payee, binding_id);
create unique index bindings_one_open on bindings (role, subject_kind, subject) where until_at is null;

create table policies (
    policy_id uuid primary key,
    code text not null,
    version integer not null check (version > 0),
    name text not null,
    status text not null check (status in ('draft', 'approved', 'active', 'ended')),
    document jsonb not null,
    created_by text not null,
    created_at timestamptz not null,
    approved_by text,
    approved_at timestamptz,
    activated_at timestamptz,
    ended_at timestamptz,
    revision bigint not null default 1,
    unique (code, version),
    check (approved_by is distinct from created_by),
    check (status = 'draft' or approved_by is not null)
);
create unique index policies_one_active on policies (code) where status = 'active';

create function policies_do_not_change() returns trigger language plpgsql as $$
begin
    if (old.code, old.version, old.name, old.document, old.created_by)
        is distinct from (new.code, new.version, new.name, new.document, new.created_by) then
        raise exception 'a policy version is immutable: a change is a new version';
    end if;
    return new;
end
$$;

create trigger policies_do_not_change before update on policies
    for each row execute function policies_do_not_change();

-- Facts: what was sold, and what was given back. Amounts are minor units of the order's currency.
create table sale_facts (
    order_id uuid not null,
    line_no integer not null,
    channel text not null,
    placed_at timestamptz not null,
    currency text not null,
    guide text,
    store text,
    sku text not null,
    category text,
    quantity bigint not null check (quantity > 0),
    list_amount bigint not null,
    paid_amount bigint not null,
    recorded_at timestamptz not null,
    primary key (order_id, line_no)
);

create table return_facts (
    order_id uuid not null,
    source_id uuid not null,
    line_no integer not null,
    kind text not null check (kind in ('cancel', 'refund')),
    quantity bigint not null check (quantity > 0),
    amount bigint not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    primary key (order_id, source_id, line_no)
);

create function facts_only_grow() returns trigger language plpgsql as $$
begin
    raise exception 'facts are append-only';
end
$$;

create trigger sale_facts_only_grow before update or delete or truncate on sale_facts
    for each statement execute function facts_only_grow();
create trigger return_facts_only_grow before update or delete or truncate on return_facts
    for each statement execute function facts_only_grow();

-- Who an order is credited to, decided once, with every candidate; the row's lock guards all lines of its order.
create table attributions (
    order_id uuid primary key,
    member_id uuid,
    candidates jsonb not null,
    attributed_at timestamptz not null,
    earned_at timestamptz
);

-- The policy is not a foreign key: versions are never removed, and checking each of thousands of lines a second would lock
-- the policy's row for every batch.
create table rebate_lines (
    line_id uuid not null,
    order_id uuid not null,
    line_no integer not null,
    policy_id uuid not null,
    role text not null check (role in ('guide', 'store', 'dealer')),
    payee text not null,
    currency text not null,
    quantity bigint not null check (quantity > 0),
    basis_amount bigint not null,
    rate_ppm bigint not null,
    amount bigint not null check (amount > 0),
    units_back bigint not null default 0 check (units_back between 0 and quantity),
    amount_back bigint not null default 0 check (amount_back between 0 and amount),
    placed_at timestamptz not null,
    accrued_at timestamptz not null,
    primary key (line_id, order_id),
    unique (order_id, line_no, policy_id, role)
);
create index rebate_lines_by_payee on rebate_lines (payee, line_id);
