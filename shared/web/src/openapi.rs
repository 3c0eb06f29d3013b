//! The API's document: the services' parts merged, with what is the same everywhere added once.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::Method;
use contracts::Problem;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ClientCredentials, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Scopes, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response, ResponseBuilder, Schema,
};
use utoipa::{PartialSchema, ToSchema};

use crate::{Access, PROBLEM_JSON, Route};

/// The name of the bearer token's security scheme.
const BEARER: &str = "bearer";
/// The name of the scheme that tells where the token comes from.
const CLIENT_CREDENTIALS: &str = "client_credentials";
/// What is common to every operation, for those who read the document.
const DESCRIPTION: &str = "The business middle office of an omnichannel retailer: one stock pool, one order book, one \
    member base and one rebate ledger behind every channel. Errors are problems (RFC 9457) with a stable code. Every POST \
    takes an Idempotency-Key. Resources carry their version as ETag; writes accept If-Match.";

/// One document out of the services' documents. Operations of open routes are marked as needing no token.
pub fn document(title: &str, version: &str, parts: Vec<OpenApi>, routes: &[Route]) -> OpenApi {
    let info = InfoBuilder::new().title(title).version(version).description(Some(DESCRIPTION)).build();
    let mut document = OpenApiBuilder::new().info(info).build();
    for part in parts {
        document.merge(part);
    }
    document.security = Some(vec![SecurityRequirement::new::<_, _, &str>(BEARER, [])]);
    describe_common(document.components.get_or_insert_with(Components::default));
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations_mut(item) {
            operation.responses.responses.entry("default".to_owned()).or_insert_with(problem_response);
            let open = |route: &&Route| *route.method() == method && plain(route.path()) == *path;
            if routes.iter().find(open).is_some_and(|route| route.access() == Access::Open) {
                operation.security = Some(Vec::new());
            }
        }
    }
    document
}

/// Names that stand for different schemas in different services: the merged document could only describe one of them.
pub(crate) fn contradictions(parts: &[OpenApi]) -> Vec<String> {
    let mut schemas: BTreeMap<&str, &RefOr<Schema>> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for (name, schema) in parts.iter().filter_map(|part| part.components.as_ref()).flat_map(|part| &part.schemas) {
        if *schemas.entry(name).or_insert(schema) != schema {
            names.insert(name.clone());
        }
    }
    names.into_iter().collect()
}

fn describe_common(components: &mut Components) {
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    for (name, schema) in schemas {
        components.schemas.entry(name).or_insert(schema);
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer));
    let flow = Flow::ClientCredentials(ClientCredentials::new("/oauth/token", Scopes::new()));
    components.add_security_scheme(CLIENT_CREDENTIALS, SecurityScheme::OAuth2(OAuth2::new([flow])));
}

fn problem_response() -> RefOr<Response> {
    let schema = Ref::from_schema_name(Problem::name());
    let content = Content::new(Some(schema));
    RefOr::T(ResponseBuilder::new().description("Refused or failed").content(PROBLEM_JSON, content).build())
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let operations = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ];
    operations.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Every operation of a document, as method and path.
pub fn openapi_paths(document: &OpenApi) -> Vec<(Method, String)> {
    let mut paths = Vec::new();
    for (path, item) in &document.paths.paths {
        let operations = [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PUT, &item.put),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ];
        let there = operations.into_iter().filter(|(_, operation)| operation.is_some());
        paths.extend(there.map(|(method, _)| (method, path.clone())));
    }
    paths
}

/// Where routes and document differ: each difference as a sentence; nothing where they agree.
pub fn differences(routes: &[Route], document: &OpenApi) -> Vec<String> {
    let as_text = |(method, path): (Method, String)| format!("{method} {path}");
    let routed: BTreeSet<_> =
        routes.iter().map(|route| as_text((route.method().clone(), plain(route.path())))).collect();
    let described: BTreeSet<_> = openapi_paths(document).into_iter().map(as_text).collect();
    let undescribed = routed.difference(&described).map(|route| format!("{route} is not in the document"));
    let unrouted = described.difference(&routed).map(|route| format!("{route} is in the document alone"));
    undescribed.chain(unrouted).collect()
}

/// A route's path as the document writes it: parameters without their pattern.
fn plain(path: &str) -> String {
    let cut = |part: &str| {
        part.split_once('}').map(|(name, rest)| (name.split(':').next().unwrap_or(name).to_owned(), rest.to_owned()))
    };
    let mut parts = path.split('{');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match cut(part) {
            Some((name, rest)) => plain.push_str(&format!("{{{name}}}{rest}")),
            None => plain.push_str(part),
        }
    }
    plain
}
