delete from rebate_lines where superseded_at is not null;
alter table rebate_lines
    drop constraint rebate_lines_once,
    add unique (order_id, line_no, policy_id, role),
    drop column superseded_at,
    drop column withdrawn_amount,
    drop column credit_version;
drop table credits;
