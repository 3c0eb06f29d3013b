-- An order may get lines after it was sold. A decision says which of them it was made with, and whether it is about what the
-- order names, or only about more lines.
alter table sale_facts add column added boolean not null default false;
alter table credits
    add column names boolean not null default true,
    add column added_lines integer[] not null default '{}';
