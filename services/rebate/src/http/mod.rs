//! Payees, bindings, policies, and what finance asks, over HTTP.

mod bindings;
mod books;
mod lines;
mod payees;
mod policies;

use chrono_tz::Tz;
use contracts::Problem;
use kernel::Code;
use service::Platform;
use store::Store;
use utoipa::OpenApi;
use web::{Access, Principal, Route, Routes, with_state};

/// How the routes are described.
#[derive(OpenApi)]
#[openapi(
    paths(
        payees::put,
        payees::get,
        payees::list,
        bindings::post,
        bindings::list,
        policies::post,
        policies::post_version,
        policies::list,
        policies::get,
        policies::approve,
        policies::activate,
        policies::end,
        books::balances,
        books::entries,
        books::trial_balance,
        lines::list,
        lines::get,
        lines::explain
    ),
    tags((name = "rebate", description = "Who earned what, and why"))
)]
pub struct Document;

/// What handlers work with.
#[derive(Clone)]
pub struct State {
    /// The service's database.
    pub store: Store,
    /// The retailer's time zone, for business periods.
    pub zone: Tz,
}

/// The routes with what they need.
pub fn routes(platform: &Platform) -> Routes {
    let (read, write) = (Access::Permission("rebate:read"), Access::Permission("rebate:write"));
    let approve = Access::Permission("rebate:approve");
    let (payee_read, payee_write) = (Access::Permission("payee:read"), Access::Permission("payee:write"));
    with_state(
        State { store: platform.store.clone(), zone: platform.zone },
        vec![
            Route::put("/v1/payees/{code}", payee_write, payees::put),
            Route::get("/v1/payees/{code}", payee_read, payees::get),
            Route::get("/v1/payees", payee_read, payees::list),
            Route::post("/v1/bindings", payee_write, bindings::post),
            Route::get("/v1/bindings", payee_read, bindings::list),
            Route::post("/v1/rebate/policies", write, policies::post),
            Route::get("/v1/rebate/policies", read, policies::list),
            Route::get("/v1/rebate/policies/{id}", read, policies::get),
            Route::post("/v1/rebate/policies/{id}/versions", write, policies::post_version),
            Route::post("/v1/rebate/policies/{id}/approve", approve, policies::approve),
            Route::post("/v1/rebate/policies/{id}/activate", approve, policies::activate),
            Route::post("/v1/rebate/policies/{id}/end", approve, policies::end),
            Route::get("/v1/rebate/balances", read, books::balances),
            Route::get("/v1/rebate/entries", read, books::entries),
            Route::get("/v1/rebate/trial-balance", read, books::trial_balance),
            Route::get("/v1/rebate/lines", read, lines::list),
            Route::get("/v1/rebate/lines/{id}", read, lines::get),
            Route::get("/v1/rebate/lines/{id}/explain", read, lines::explain),
        ],
    )
}

/// The payees a list is bound to: the one asked for, or all the caller may see. None means no bound.
fn payees_asked(principal: &Principal, payee: Option<&Code>) -> Result<Option<Vec<String>>, Problem> {
    match payee {
        Some(payee) => {
            principal.require_payee(payee)?;
            Ok(Some(vec![payee.to_string()]))
        }
        None => Ok(principal.payee_filter()),
    }
}
