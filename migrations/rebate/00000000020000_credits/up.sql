-- Orders that are credited to another guide or store after they were attributed: what the order names by then, and who is
-- credited since. The row of `attributions` stays the first decision; the newest version decides.
create table credits (
    order_id uuid not null references attributions (order_id),
    version bigint not null check (version > 0),
    guide text,
    store text,
    candidates jsonb not null,
    changed_at timestamptz not null,
    decided_at timestamptz not null,
    primary key (order_id, version)
);
create trigger credits_only_grow before update or delete or truncate on credits
    for each statement execute function facts_only_grow();

-- A line says which decision it rests on; 0 is the first. One that another decision takes the place of keeps nothing: what
-- was left of it is withdrawn.
alter table rebate_lines
    add column credit_version bigint not null default 0,
    add column withdrawn_amount bigint not null default 0,
    add column superseded_at timestamptz,
    add check (withdrawn_amount >= 0 and amount_back + withdrawn_amount <= amount),
    add check (case when superseded_at is null then withdrawn_amount = 0 else amount_back + withdrawn_amount = amount end),
    drop constraint rebate_lines_order_id_line_no_policy_id_role_key,
    add constraint rebate_lines_once unique (order_id, line_no, policy_id, role, credit_version);
