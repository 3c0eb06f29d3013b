//! What a service is made of: routes, consumers, jobs, migrations.
