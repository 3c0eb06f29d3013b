-- The double-entry ledger: what every account holds now, and every transfer that made it so.

create table ledger_balances (
    owner text collate "C" not null,
    account text collate "C" not null,
    unit text collate "C" not null,
    balance bigint not null default 0,
    version bigint not null default 0,
    floor bigint,
    primary key (owner, account, unit),
    check (floor is null or balance >= floor)
) with (fillfactor = 70);

create table ledger_transfers (
    owner text collate "C" not null,
    transfer_id uuid not null,
    entry_id uuid not null,
    reference text collate "C" not null,
    debit_owner text not null,
    debit_account text not null,
    credit_owner text not null,
    credit_account text not null,
    unit text not null,
    amount bigint not null check (amount > 0),
    reason text not null,
    memo jsonb not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    primary key (owner, transfer_id),
    unique (owner, reference),
    check (debit_owner <> credit_owner or debit_account <> credit_account)
);

create function ledger_transfers_only_grow() returns trigger language plpgsql as $$
begin
    raise exception 'ledger transfers are append-only: a correction is a new transfer';
end
$$;

create trigger ledger_transfers_only_grow
    before update or delete or truncate on ledger_transfers
    for each statement execute function ledger_transfers_only_grow();
