DROP INDEX fulfilments_in_work;
