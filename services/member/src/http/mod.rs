//! Members, points and tiers over HTTP.

mod holds;
mod identities;
mod members;
mod points;
mod rules;
mod tiers;

use serde::Deserialize;
use service::Platform;
use utoipa::{IntoParams, OpenApi};
use web::{Access, Route, Routes, with_state};

use crate::app::Desk;
pub use holds::HoldLimits;

/// How the routes are described.
#[derive(OpenApi)]
#[openapi(
    paths(
        members::register,
        members::resolve,
        members::find,
        members::get,
        members::change,
        identities::link,
        identities::unlink,
        points::balances,
        points::entries,
        points::lots,
        points::grant,
        points::proof,
        holds::hold,
        holds::get,
        holds::capture,
        holds::release,
        holds::reverse,
        rules::put_earning_rule,
        rules::get_earning_rule,
        rules::put_tier_program,
        rules::get_tier_program,
        tiers::get
    ),
    tags((name = "member", description = "One person behind every channel: identities, points, tiers"))
)]
pub struct Document;

/// The routes with what they need.
pub fn routes(platform: &Platform, desk: Desk, holds: HoldLimits) -> Routes {
    let mut routes = member_routes();
    routes.extend(points_routes());
    routes.extend(rule_routes());
    with_state(platform.store.clone(), with_state(desk, with_state(holds, routes)))
}

fn member_routes() -> Routes {
    let (read, write) = (Access::Permission("member:read"), Access::Permission("member:write"));
    vec![
        Route::post("/v1/members", write, members::register),
        Route::post("/v1/members/resolve", write, members::resolve),
        Route::get("/v1/members", read, members::find),
        Route::get("/v1/members/{id}", read, members::get),
        Route::patch("/v1/members/{id}", write, members::change),
        Route::post("/v1/members/{id}/identities", write, identities::link),
        Route::delete("/v1/members/{id}/identities", write, identities::unlink),
    ]
}

fn points_routes() -> Routes {
    let (read, write) = (Access::Permission("points:read"), Access::Permission("points:write"));
    vec![
        Route::get("/v1/members/{id}/points", read, points::balances),
        Route::get("/v1/members/{id}/points/entries", read, points::entries),
        Route::get("/v1/members/{id}/points/lots", read, points::lots),
        Route::get("/v1/points/proof", read, points::proof),
        Route::post("/v1/points/grants", write, points::grant),
        Route::post("/v1/points/holds", write, holds::hold),
        Route::get("/v1/points/holds/{id}", read, holds::get),
        Route::post("/v1/points/holds/{id}/capture", write, holds::capture),
        Route::post("/v1/points/holds/{id}/release", write, holds::release),
        Route::post("/v1/points/holds/{id}/reverse", write, holds::reverse),
        Route::put("/v1/points/rules/{code}", write, rules::put_earning_rule),
        Route::get("/v1/points/rules/{code}", read, rules::get_earning_rule),
    ]
}

fn rule_routes() -> Routes {
    let (read, write) = (Access::Permission("tier:read"), Access::Permission("tier:write"));
    vec![
        Route::get("/v1/members/{id}/tier", read, tiers::get),
        Route::put("/v1/tier-programs/{code}", write, rules::put_tier_program),
        Route::get("/v1/tier-programs/{code}", read, rules::get_tier_program),
    ]
}

/// Which page of a list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// At most so many items (default 50, at most 500).
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}
