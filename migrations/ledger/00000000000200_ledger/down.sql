drop table ledger_transfers;
drop function ledger_transfers_only_grow();
drop table ledger_balances;
