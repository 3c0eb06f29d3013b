DROP TABLE tier_entries, point_hold_parts, point_holds, point_lots, purchase_lines, purchases, rules, identity_cases,
    identity_evidence, identities, members;
DROP FUNCTION member_history_only_grows();
