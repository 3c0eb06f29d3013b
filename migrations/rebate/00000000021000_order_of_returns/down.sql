alter table return_facts drop column seq;
