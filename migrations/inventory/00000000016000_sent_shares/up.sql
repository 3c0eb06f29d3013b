-- What is on its way to be collected counts under its channel's share as promised, as what is reserved does.
ALTER TABLE sent_lines
    ADD COLUMN count_id bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT sent_lines_pkey,
    ADD PRIMARY KEY (fulfilment, line_no, sku, count_id);
