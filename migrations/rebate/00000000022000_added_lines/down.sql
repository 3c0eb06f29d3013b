alter table credits drop column names, drop column added_lines;
alter table sale_facts drop column added;
