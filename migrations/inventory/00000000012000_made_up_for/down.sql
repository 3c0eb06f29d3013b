DROP TABLE made_up_for, promise_round;
