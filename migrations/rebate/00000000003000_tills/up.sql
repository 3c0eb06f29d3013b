-- What tills sold, and what became of it. Tills send in any order: what is back of a sale is worked out from everything that is
-- here, whichever came first. A till's sale has its transaction's id as order_id in every other table.

-- Sales at tills, by the number that a receipt shows.
create table till_sales (
    store text not null,
    terminal text not null,
    business_date date not null,
    sequence bigint not null,
    order_id uuid not null,
    primary key (store, terminal, business_date, sequence)
);
create unique index till_sales_order_id on till_sales (order_id);

-- Units that came back, and the line of the transaction that had sold them, which may not have come yet.
create table till_sale_returns (
    transaction_id uuid not null,
    line_no integer not null,
    store text not null,
    terminal text not null,
    business_date date not null,
    sequence bigint not null,
    original_line_no integer not null,
    quantity bigint not null check (quantity > 0),
    amount bigint not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    primary key (transaction_id, line_no)
);
create index till_sale_returns_original on till_sale_returns (store, terminal, business_date, sequence);

-- Transactions that were undone, and by which.
create table till_sale_voids (
    transaction_id uuid primary key,
    void_id uuid not null,
    occurred_at timestamptz not null
);

create trigger till_sales_only_grow before update or delete or truncate on till_sales
    for each statement execute function facts_only_grow();
create trigger till_sale_returns_only_grow before update or delete or truncate on till_sale_returns
    for each statement execute function facts_only_grow();
create trigger till_sale_voids_only_grow before update or delete or truncate on till_sale_voids
    for each statement execute function facts_only_grow();
