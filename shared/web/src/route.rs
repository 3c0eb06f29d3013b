//! Routes as data: a method, a path, who may, and the handler. They become actix resources here.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::dev::Handler;
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{FromRequest, HttpResponse, Resource, Responder, guard};
use contracts::{Problem, ProblemCode};

use crate::failure::answer_problem;
use crate::gate::{Gate, Gatekeeper};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, without a token.
    Open,
    /// A client whose token grants the permission, such as `order:read`.
    Permission(&'static str),
}

/// The routes of a service.
pub type Routes = Vec<Route>;

type MakeRoute = Arc<dyn Fn() -> actix_web::Route + Send + Sync>;
type AddState = Arc<dyn Fn(Resource) -> Resource + Send + Sync>;

/// One route.
#[derive(Clone)]
pub struct Route {
    method: Method,
    path: &'static str,
    access: Access,
    make: MakeRoute,
    state: Vec<AddState>,
}

impl Route {
    /// A route that reads.
    pub fn get<F, Args>(path: &'static str, access: Access, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::new(Method::GET, path, access, handler)
    }

    /// A route that creates, or does something to a thing.
    pub fn post<F, Args>(path: &'static str, access: Access, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::new(Method::POST, path, access, handler)
    }

    /// A route that creates or replaces a thing by its name.
    pub fn put<F, Args>(path: &'static str, access: Access, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::new(Method::PUT, path, access, handler)
    }

    /// A route that changes parts of a thing.
    pub fn patch<F, Args>(path: &'static str, access: Access, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::new(Method::PATCH, path, access, handler)
    }

    /// A route that removes a thing.
    pub fn delete<F, Args>(path: &'static str, access: Access, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self::new(Method::DELETE, path, access, handler)
    }

    fn new<F, Args>(method: Method, path: &'static str, access: Access, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let verb = method.clone();
        let make: MakeRoute = Arc::new(move || {
            let route = actix_web::web::route();
            let route = if verb == Method::GET {
                // Whatever can be read can be asked about: actix leaves the body of a HEAD answer out.
                route.guard(guard::Any(guard::Get()).or(guard::Head()))
            } else {
                route.method(verb.clone())
            };
            route.to(handler.clone())
        });
        Self { method, path, access, make, state: Vec::new() }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path's pattern, such as `/v1/orders/{id}`.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Who may call it.
    pub fn access(&self) -> Access {
        self.access
    }
}

/// Gives the handlers of these routes a state, which they take as [`Data<T>`](actix_web::web::Data).
pub fn with_state<T: Send + Sync + 'static>(state: T, mut routes: Routes) -> Routes {
    let state = Data::new(state);
    let add: AddState = Arc::new(move |resource| resource.app_data(state.clone()));
    for route in &mut routes {
        route.state.push(Arc::clone(&add));
    }
    routes
}

/// What contradicts itself in a set of routes: each fault as a sentence, all at once.
pub fn faults(routes: &[Route]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen: BTreeMap<String, &'static str> = BTreeMap::new();
    let mut taken = std::collections::BTreeSet::new();
    for route in routes {
        if !taken.insert((route.path, route.method.to_string())) {
            faults.push(format!("{} {} is routed twice", route.method, route.path));
        }
        match seen.insert(shape(route.path), route.path) {
            Some(other) if other != route.path => {
                faults.push(format!("{other} and {} are the same path with other parameter names", route.path));
            }
            _ => {}
        }
    }
    faults
}

/// The path with its parameters' names left out.
fn shape(path: &str) -> String {
    let mut shape = String::with_capacity(path.len());
    let mut inside = false;
    for character in path.chars() {
        match character {
            '{' => inside = true,
            '}' => {
                inside = false;
                shape.push_str("{}");
            }
            other if !inside => shape.push(other),
            _ => {}
        }
    }
    shape
}

/// How a segment ranks among those it competes with: a fixed text before one with a parameter in it, that before a bare
/// parameter, that before a tail that swallows the rest.
fn rank(segment: &str) -> u8 {
    match (segment.find('{'), segment.contains(":.*")) {
        (None, _) => 0,
        (Some(_), true) => 3,
        (Some(0), false) if segment.ends_with('}') => 2,
        (Some(_), false) => 1,
    }
}

/// Registers the routes: one resource per path, so that a known path with another method is a 405, the more specific
/// paths first, so that `/v1/members/resolve` is not taken for the member `resolve`.
pub(crate) fn register(config: &mut ServiceConfig, routes: &[Route], keeper: &Arc<Gatekeeper>) {
    let mut paths: BTreeMap<(Vec<u8>, &'static str), Vec<&Route>> = BTreeMap::new();
    for route in routes {
        let ranks = route.path.split('/').map(rank).collect();
        paths.entry((ranks, route.path)).or_default().push(route);
    }
    for ((_, path), routes) in paths {
        let mut resource = Resource::new(path);
        for route in &routes {
            resource = route.state.iter().fold(resource, |resource, add| add(resource)).route((route.make)());
        }
        let access = routes.iter().map(|route| (route.method.clone(), route.access)).collect();
        let allow = allowed(&routes);
        let resource = resource
            .default_service(actix_web::web::to(move || std::future::ready(method_not_allowed(&allow))))
            .wrap(Gate::new(Arc::clone(keeper), path, access));
        config.service(resource);
    }
}

fn allowed(routes: &[&Route]) -> String {
    let mut methods: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.join(", ")
}

fn method_not_allowed(allow: &str) -> HttpResponse {
    let problem = Problem::new(ProblemCode::MethodNotAllowed).detail(format!("the path takes {allow}"));
    let mut response = answer_problem(&problem);
    if let Ok(value) = allow.parse() {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}
