DROP TABLE fulfilment_count_steps, fulfilment_counts;
