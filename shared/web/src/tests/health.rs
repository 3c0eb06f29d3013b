//! Health, and the document.

use super::*;
use crate::{differences, openapi_paths};

#[actix_web::test]
async fn a_live_process_says_so_and_a_ready_one_names_its_checks() {
    let shop = Shop::open();
    assert_eq!(shop.send(get("/livez")).await.text(), "ok");
    let works = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let check = Arc::clone(&works);
    shop.site.readiness().register("order.database", move || {
        let works = check.load(Ordering::Relaxed);
        async move { if works { Ok(()) } else { Err("no route to db-7.internal".to_owned()) } }
    });
    let reply = shop.send(get("/readyz")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), json!({"ready": true, "checks": [{"name": "order.database", "ok": true}]}));
    works.store(false, Ordering::Relaxed);
    let reply = shop.send(get("/readyz")).await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.json()["checks"][0]["ok"], false);
    assert!(!reply.text().contains("db-7"));
    works.store(true, Ordering::Relaxed);
    assert_eq!(shop.send(get("/readyz")).await.status, 200);
    shop.site.readiness().close();
    assert_eq!(shop.send(get("/readyz")).await.status, 503);
    assert_eq!(shop.send(get("/livez")).await.status, 200);
}

#[utoipa::path(get, path = "/v1/orders/{id}", params(("id" = String, Path)), responses((status = 200, body = String)))]
#[expect(dead_code, reason = "only its description is used")]
fn read() {}

#[utoipa::path(get, path = "/v1/skus/{sku}", params(("sku" = String, Path)), responses((status = 200, body = String)))]
#[expect(dead_code, reason = "only its description is used")]
fn sku() {}

#[utoipa::path(post, path = "/v1/phantoms", responses((status = 201, body = String)))]
#[expect(dead_code, reason = "only its description is used")]
fn phantom() {}

#[derive(utoipa::OpenApi)]
#[openapi(paths(read))]
struct OrderDocument;

#[derive(utoipa::OpenApi)]
#[openapi(paths(sku, phantom))]
struct ProductDocument;

fn described() -> Shop {
    let clock = ManualClock::new();
    let credentials = Credentials::new(clock.clone()).unwrap();
    let parts = SiteParts {
        routes: routes(),
        openapi: vec![<OrderDocument as utoipa::OpenApi>::openapi(), <ProductDocument as utoipa::OpenApi>::openapi()],
        verifier: credentials.verifier(),
        readiness: Readiness::new(),
        limits: Limits::default(),
    };
    Shop { site: Site::new(parts).unwrap(), credentials, clock }
}

#[actix_web::test]
async fn the_document_is_one_and_says_what_is_open() {
    let shop = described();
    let document = shop.send(get("/openapi.json")).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["security"], json!([{"bearer": []}]));
    assert_eq!(document["paths"]["/v1/skus/{sku}"]["get"]["security"], json!([]));
    assert_eq!(document["paths"]["/v1/orders/{id}"]["get"].get("security"), None);
    let problem = &document["paths"]["/v1/orders/{id}"]["get"]["responses"]["default"];
    let schema = &problem["content"]["application/problem+json"]["schema"]["$ref"];
    assert_eq!(schema, "#/components/schemas/Problem");
    for schema in ["Problem", "ProblemCode", "FieldError"] {
        assert!(document["components"]["schemas"][schema].is_object(), "{schema}");
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[test]
fn what_the_document_lacks_and_what_it_invents_is_named() {
    let shop = described();
    assert_eq!(openapi_paths(shop.site.document()).len(), 3);
    let differences = differences(shop.site.routes(), shop.site.document());
    assert!(differences.contains(&"POST /v1/orders is not in the document".to_owned()), "{differences:?}");
    assert!(differences.contains(&"POST /v1/phantoms is in the document alone".to_owned()), "{differences:?}");
    assert!(!differences.iter().any(|difference| difference.contains("{id}") || difference.contains("{sku}")));
}

mod one {
    /// A view.
    #[derive(utoipa::ToSchema)]
    #[expect(dead_code, reason = "only its description is used")]
    pub(super) struct View {
        number: i64,
    }
}

mod other {
    /// Another view.
    #[derive(utoipa::ToSchema)]
    #[expect(dead_code, reason = "only its description is used")]
    pub(super) struct View {
        text: String,
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(one::View)))]
struct OneDocument;

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(other::View)))]
struct OtherDocument;

#[test]
fn two_schemas_of_one_name_are_named() {
    let (one, other) = (<OneDocument as utoipa::OpenApi>::openapi(), <OtherDocument as utoipa::OpenApi>::openapi());
    assert_eq!(crate::openapi::contradictions(&[one.clone(), other]), ["View"]);
    assert_eq!(crate::openapi::contradictions(&[one.clone(), one]), Vec::<String>::new());
}

#[actix_web::test]
async fn the_docs_page_loads_nothing_from_elsewhere() {
    let shop = described();
    assert_eq!(shop.send(get("/")).await.header("location"), Some("/docs/"));
    assert_eq!(shop.send(get("/docs")).await.header("location"), Some("/docs/"));
    let page = shop.send(get("/docs/")).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("swagger-ui"));
    assert!(!page.text().contains("https://"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'self'"));
    let script = shop.send(get("/docs/swagger-initializer.js")).await;
    assert!(script.text().contains("/openapi.json"));
    assert_eq!(shop.send(get("/docs/swagger-ui-bundle.js")).await.status, 200);
    assert_eq!(shop.send(get("/docs/../Cargo.toml")).await.status, 404);
    assert_eq!(shop.send(get("/docs/none.js")).await.problem(), "not_found");
}
