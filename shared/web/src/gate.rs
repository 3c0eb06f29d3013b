//! The gate before every resource: token, permission, rate and measure.

use std::cell::RefCell;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::AUTHORIZATION;
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, HttpMessage};
use contracts::{Problem, ProblemCode};
use metrics::Histogram;
use tracing::Span;

use crate::failure::answer_problem;
use crate::keys::Verifier;
use crate::limits::{Allowance, Caller};
use crate::trace::label;
use crate::{Access, Limits, Principal};

/// What all gates of a process share.
pub(crate) struct Gatekeeper {
    verifier: Verifier,
    allowance: Allowance,
    in_flight: AtomicUsize,
    limit: usize,
}

impl Gatekeeper {
    pub(crate) fn new(verifier: Verifier, limits: &Limits) -> Self {
        Self { verifier, allowance: Allowance::new(limits), in_flight: AtomicUsize::new(0), limit: limits.in_flight }
    }

    /// A place among the requests being worked on, or the problem that there is none.
    fn enter(self: &Arc<Self>) -> Result<Place, Problem> {
        let place = Place(Arc::clone(self));
        if self.in_flight.fetch_add(1, Ordering::Relaxed) < self.limit {
            return Ok(place);
        }
        Err(Problem::new(ProblemCode::Unavailable).detail("too many requests are being worked on").retry_after(1))
    }

    async fn admit(&self, request: &ServiceRequest, access: Access) -> Result<(), Problem> {
        let Access::Permission(permission) = access else {
            return self.ration(&Caller::Address(request.peer_addr().map(|address| address.ip())));
        };
        let principal = self.verifier.verify(bearer(request)?).await?;
        Span::current().record("client.id", principal.client_id.as_str());
        self.ration(&Caller::Client(principal.client_id.clone()))?;
        principal.require(permission)?;
        request.extensions_mut().insert::<Arc<Principal>>(principal);
        Ok(())
    }

    fn ration(&self, caller: &Caller) -> Result<(), Problem> {
        self.allowance.take(caller).map_err(|wait| {
            let seconds = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
            Problem::new(ProblemCode::RateLimited).retry_after(seconds)
        })
    }
}

/// A request's place among those being worked on, given back when dropped.
struct Place(Arc<Gatekeeper>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn bearer(request: &ServiceRequest) -> Result<&str, Problem> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    token.ok_or_else(|| Problem::new(ProblemCode::Unauthenticated).detail("send Authorization: Bearer <access token>"))
}

/// The middleware of one resource.
pub(crate) struct Gate {
    keeper: Arc<Gatekeeper>,
    path: &'static str,
    access: Vec<(Method, Access)>,
    measured: RefCell<Vec<Measured>>,
}

/// The measure of the requests with one method and one outcome. It is looked up among all metrics once.
struct Measured {
    method: &'static str,
    status: StatusCode,
    seconds: Histogram,
}

impl Gate {
    pub(crate) fn new(keeper: Arc<Gatekeeper>, path: &'static str, access: Vec<(Method, Access)>) -> Self {
        Self { keeper, path, access, measured: RefCell::default() }
    }

    /// Who may; none where the method is not routed, which the resource answers itself.
    fn access(&self, method: &Method) -> Option<Access> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.access.iter().find(|(routed, _)| routed == method).map(|(_, access)| *access)
    }

    fn measure<B>(&self, method: &'static str, answered: &Result<ServiceResponse<B>, Error>, started: Instant) {
        let status = match answered {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        let mut measured = self.measured.borrow_mut();
        if let Some(known) = measured.iter().find(|it| it.method == method && it.status == status) {
            return known.seconds.record(started.elapsed());
        }
        let seconds = metrics::histogram!(
            "http_server_request_duration_seconds",
            "method" => method,
            "route" => self.path,
            "status" => status.as_str().to_owned(),
        );
        seconds.record(started.elapsed());
        measured.push(Measured { method, status, seconds });
    }
}

impl<S, B> Transform<S, ServiceRequest> for Gate
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = Guarded<S>;
    type InitError = ();
    type Future = Ready<Result<Guarded<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let gate = Self::new(Arc::clone(&self.keeper), self.path, self.access.clone());
        ready(Ok(Guarded { service: Rc::new(service), gate: Rc::new(gate) }))
    }
}

/// A resource behind its gate.
pub(crate) struct Guarded<S> {
    service: Rc<S>,
    gate: Rc<Gate>,
}

impl<S, B> Service<ServiceRequest> for Guarded<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (service, gate) = (Rc::clone(&self.service), Rc::clone(&self.gate));
        Box::pin(async move {
            let (started, method) = (Instant::now(), label(request.method()));
            let span = Span::current();
            span.record("http.route", gate.path);
            runtime::telemetry::rename(&span, || format!("{method} {}", gate.path));
            let answered = match pass(&gate, &request).await {
                Ok(place) => {
                    let answered = service.call(request).await.map(ServiceResponse::map_into_left_body);
                    drop(place);
                    answered
                }
                Err(problem) => Ok(request.into_response(answer_problem(&problem)).map_into_right_body()),
            };
            gate.measure(method, &answered, started);
            answered
        })
    }
}

async fn pass(gate: &Gate, request: &ServiceRequest) -> Result<Place, Problem> {
    let place = gate.keeper.enter()?;
    if let Some(access) = gate.access(request.method()) {
        gate.keeper.admit(request, access).await?;
    }
    Ok(place)
}
