//! Statements that each connection parses and plans once.
//!
//! `diesel::sql_query` sends its text anew every time, and planning a large statement takes longer than running it on a
//! small batch. A [`Statement`] has a constant text, so the connection keeps it prepared. Its parameters stand in it as
//! `$1`, `$2`, …, each once and in this order.

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::connection::Connection;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Untyped};

/// A statement with a constant text and the values of its parameters.
#[derive(Clone, Debug)]
#[must_use = "a statement does nothing until it is loaded or executed"]
pub struct Statement<B> {
    text: Cow<'static, str>,
    values: B,
}

/// The value of one parameter after those before it.
#[derive(Clone, Copy, Debug)]
pub struct Bound<B, V, ST> {
    before: B,
    value: V,
    sql_type: PhantomData<ST>,
}

/// A statement whose parameters are to be bound in their order; rows are read by name, as those of `sql_query`.
pub fn statement(text: impl Into<Cow<'static, str>>) -> Statement<()> {
    Statement { text: text.into(), values: () }
}

impl<B> Statement<B> {
    /// Binds the next parameter.
    pub fn bind<ST, V>(self, value: V) -> Statement<Bound<B, V, ST>> {
        Statement { text: self.text, values: Bound { before: self.values, value, sql_type: PhantomData } }
    }
}

/// The values bound to a statement.
pub trait Values {
    /// Writes each value after the text before it; answers the text that is left.
    fn write<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>, text: &'b str) -> QueryResult<&'b str>;
}

impl Values for () {
    fn write<'b>(&'b self, _: &mut AstPass<'_, 'b, Pg>, text: &'b str) -> QueryResult<&'b str> {
        Ok(text)
    }
}

impl<B, V, ST> Values for Bound<B, V, ST>
where
    B: Values,
    V: ToSql<ST, Pg>,
    Pg: HasSqlType<ST>,
{
    fn write<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>, text: &'b str) -> QueryResult<&'b str> {
        let text = self.before.write(out, text)?;
        let missing = || DieselError::QueryBuilderError("a statement has a place for each of its values".into());
        let (piece, rest) = text.split_once('$').ok_or_else(missing)?;
        out.push_sql(piece);
        out.push_bind_param(&self.value)?;
        Ok(rest.trim_start_matches(|digit: char| digit.is_ascii_digit()))
    }
}

impl<B: Values> QueryFragment<Pg> for Statement<B> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let rest = self.values.write(&mut out, &self.text)?;
        out.push_sql(rest);
        Ok(())
    }
}

/// The text is the key under which a connection keeps it.
impl<B> QueryId for Statement<B> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<B> Query for Statement<B> {
    type SqlType = Untyped;
}

impl<B, C: Connection> RunQueryDsl<C> for Statement<B> {}
