//! Who earned what, and why: payees, policies, accruals.
