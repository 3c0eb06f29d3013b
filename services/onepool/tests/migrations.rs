//! Every migration can be gone back, and run again.

use service::Descriptor;

fn of(descriptor: &Descriptor) {
    testkit::migrations::go_back_and_forth(descriptor.name, descriptor.migrations);
}

#[test]
fn those_of_the_gateway_go_back() {
    of(&gateway::DESCRIPTOR);
}

#[test]
fn those_of_products_go_back() {
    of(&product::DESCRIPTOR);
}

#[test]
fn those_of_the_inventory_go_back() {
    of(&inventory::DESCRIPTOR);
}

#[test]
fn those_of_orders_go_back() {
    of(&order::DESCRIPTOR);
}

#[test]
fn those_of_members_go_back() {
    of(&member::DESCRIPTOR);
}

#[test]
fn those_of_rebates_go_back() {
    of(&rebate::DESCRIPTOR);
}
