//! The services' routes and descriptions fit into one process.

use testkit::TestService;
use web::{Limits, Readiness, Site, SiteParts};

#[actix_web::test]
async fn every_service_can_be_served_together() {
    let all = [
        &product::DESCRIPTOR,
        &inventory::DESCRIPTOR,
        &order::DESCRIPTOR,
        &member::DESCRIPTOR,
        &rebate::DESCRIPTOR,
        &gateway::DESCRIPTOR,
    ];
    let (mut routes, mut openapi, mut verifier) = (Vec::new(), Vec::new(), None);
    for descriptor in all {
        let service = TestService::new(descriptor).await;
        routes.extend(service.routes());
        openapi.push(service.openapi());
        verifier = Some(service.credentials.verifier());
    }
    let verifier = verifier.unwrap();
    let site =
        Site::new(SiteParts { routes, openapi, verifier, readiness: Readiness::new(), limits: Limits::default() });
    assert!(site.is_ok(), "{:?}", site.err());
}
