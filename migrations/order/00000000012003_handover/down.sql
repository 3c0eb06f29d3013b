DROP TABLE handover_lists;
