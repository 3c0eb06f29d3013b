//! A request that failed: the problem that is answered. What went wrong inside is logged here, once, and never leaves.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use contracts::{Problem, ProblemCode};

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What a handler fails with; anything that turns into a [`Problem`] turns into it by `?`.
#[derive(Debug)]
pub struct Failure {
    problem: Box<Problem>,
    internal: Option<String>,
}

impl Failure {
    /// A fault of ours: the text goes to the log, the caller sees `internal` and the trace to quote.
    pub fn internal(text: impl fmt::Display) -> Self {
        Self { problem: Box::new(Problem::new(ProblemCode::Internal)), internal: Some(text.to_string()) }
    }

    /// A part we depend on is away: the text goes to the log, the caller is told when to try again.
    pub fn unavailable(text: impl fmt::Display) -> Self {
        let problem = Problem::new(ProblemCode::Unavailable).retry_after(1);
        Self { problem: Box::new(problem), internal: Some(text.to_string()) }
    }

    /// The problem that is answered.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The problem, for an answer that carries it inside, such as a result line of an import.
    pub fn into_problem(self) -> Problem {
        self.log();
        *self.problem
    }

    fn log(&self) {
        let code = self.problem.code.as_str();
        match &self.internal {
            Some(cause) => tracing::error!(problem.code = code, cause, "the request failed on our side"),
            None if self.problem.status >= 500 => {
                tracing::error!(problem.code = code, detail = self.problem.detail, "the request failed on our side");
            }
            None => tracing::debug!(problem.code = code, "the request was refused"),
        }
    }
}

impl<E: Into<Problem>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { problem: Box::new(error.into()), internal: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.log();
        answer_problem(&self.problem)
    }
}

/// The response that carries a problem, with the trace of the request in it.
pub(crate) fn answer_problem(problem: &Problem) -> HttpResponse {
    let mut problem = problem.clone();
    if problem.trace_id.is_none() {
        problem.trace_id = runtime::telemetry::current_trace_id();
    }
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON)));
    if let Some(seconds) = problem.retry_after_seconds {
        response.insert_header((RETRY_AFTER, HeaderValue::from(seconds)));
    }
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header(("WWW-Authenticate", HeaderValue::from_static("Bearer realm=\"onepool\"")));
    }
    response.body(serde_json::to_vec(&problem).unwrap_or_default())
}
