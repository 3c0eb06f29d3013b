-- The order in which returns were recorded: what came before another line took a line's place is that line's, and instants of
-- several processes, or of one moment, do not tell it.
alter table return_facts add column seq bigint not null generated always as identity;
