//! The life of a policy version: drafted by its maker, approved by someone else, in force, ended.

use contracts::{FieldError, Problem, ProblemCode};
use kernel::Code;
use kernel::id::PolicyId;
use store::Tx;
use uuid::Uuid;

use crate::domain::policy::{PolicyDocument, PolicyStatus};
use crate::store::locks::lock_policy;
use crate::store::policies::{self, PolicyRow};

/// Why a policy version was not written or moved on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields that are wrong.
    #[error("the policy's document is not acceptable")]
    Fields(Vec<FieldError>),
    /// The code is taken.
    #[error("the policy {0} exists: a change is a new version of it")]
    CodeTaken(Code),
    /// There is no such version.
    #[error("policy {0} does not exist")]
    NotFound(PolicyId),
    /// Its maker cannot be its checker.
    #[error("a policy is approved by someone other than its maker")]
    SameHand,
    /// It does not stand where this step begins.
    #[error("the policy is {from}, so it cannot become {to}")]
    Step {
        /// Where it stands.
        from: &'static str,
        /// Where it was to go.
        to: &'static str,
    },
    /// It has another revision.
    #[error("the policy has version {0}")]
    Revision(i64),
    /// The transaction failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Fields(faults) => faults
                .into_iter()
                .fold(Self::new(ProblemCode::InvalidField), |problem, fault| problem.field(fault.field, fault.detail)),
            Error::CodeTaken(_) => Self::new(ProblemCode::StateConflict).field("code", text),
            Error::NotFound(id) => Self::not_found("policy", id),
            Error::SameHand => Self::new(ProblemCode::RefusedByRule).detail(text),
            Error::Step { .. } => Self::new(ProblemCode::StateConflict).detail(text),
            Error::Revision(_) => Self::new(ProblemCode::PreconditionFailed).detail(text),
            Error::Store(error) => error.into(),
        }
    }
}

/// What a version consists of.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// Its rules.
    pub document: PolicyDocument,
    /// Its maker.
    pub created_by: String,
}

/// Drafts the first version of a new policy.
pub fn draft_policy(tx: &mut Tx<'_>, code: &Code, draft: &Draft) -> Result<PolicyRow, Error> {
    let row = drafted(tx, code.as_str(), 1, draft)?;
    if policies::insert(tx, &row)? { Ok(row) } else { Err(Error::CodeTaken(code.clone())) }
}

/// Drafts the next version of the policy that `policy_id` is a version of.
pub fn draft_version(tx: &mut Tx<'_>, policy_id: PolicyId, draft: &Draft) -> Result<PolicyRow, Error> {
    let versions = lock_policy(tx, policy_id.uuid())?;
    let latest = versions.last().ok_or(Error::NotFound(policy_id))?;
    let row = drafted(tx, &latest.code, latest.version.saturating_add(1), draft)?;
    if policies::insert(tx, &row)? {
        Ok(row)
    } else {
        Err(store::Error::Conflict("another version was drafted at the same time".to_owned()).into())
    }
}

fn drafted(tx: &Tx<'_>, code: &str, version: i32, draft: &Draft) -> Result<PolicyRow, Error> {
    let mut faults = draft.document.faults();
    if draft.name.trim().is_empty() || draft.name.chars().count() > super::put_payee::MAX_NAME_LENGTH {
        faults.push(FieldError { field: "name".to_owned(), detail: "a name has from 1 to 200 characters".to_owned() });
    }
    if !faults.is_empty() {
        return Err(Error::Fields(faults));
    }
    Ok(PolicyRow {
        policy_id: PolicyId::at(tx.now()).uuid(),
        code: code.to_owned(),
        version,
        name: draft.name.clone(),
        status: PolicyStatus::Draft.as_str().to_owned(),
        document: serde_json::to_value(&draft.document).map_err(store::Error::from)?,
        created_by: draft.created_by.clone(),
        created_at: tx.now().utc(),
        approved_by: None,
        approved_at: None,
        activated_at: None,
        ended_at: None,
        revision: 1,
    })
}

/// A step of a version's life.
#[derive(Clone, Debug)]
pub struct Move {
    /// The version.
    pub policy_id: PolicyId,
    /// Where it goes.
    pub to: PolicyStatus,
    /// Who moves it.
    pub by: String,
    /// The revision it must have now.
    pub expected_revision: Option<i64>,
}

/// Moves a version on. Bringing one into force ends the version of the same policy that was.
pub fn move_policy(tx: &mut Tx<'_>, step: &Move) -> Result<PolicyRow, Error> {
    let mut versions = lock_policy(tx, step.policy_id.uuid())?;
    let id = step.policy_id.uuid();
    let index = versions.iter().position(|row| row.policy_id == id).ok_or(Error::NotFound(step.policy_id))?;
    let mut row = versions.swap_remove(index);
    if step.expected_revision.is_some_and(|expected| expected != row.revision) {
        return Err(Error::Revision(row.revision));
    }
    let from = row.standing()?;
    if from == step.to {
        return Ok(row);
    }
    if !from.may_become(step.to) {
        return Err(Error::Step { from: from.as_str(), to: step.to.as_str() });
    }
    if step.to == PolicyStatus::Approved && row.created_by == step.by {
        return Err(Error::SameHand);
    }
    if step.to == PolicyStatus::Active {
        for mut other in versions {
            if other.standing()? == PolicyStatus::Active {
                advance(tx, &mut other, PolicyStatus::Ended, &step.by)?;
            }
        }
    }
    advance(tx, &mut row, step.to, &step.by)?;
    Ok(row)
}

fn advance(tx: &mut Tx<'_>, row: &mut PolicyRow, to: PolicyStatus, by: &str) -> Result<(), store::Error> {
    let now = Some(tx.now().utc());
    match to {
        PolicyStatus::Draft => {}
        PolicyStatus::Approved => {
            row.approved_by = Some(by.to_owned());
            row.approved_at = now;
        }
        PolicyStatus::Active => row.activated_at = now,
        PolicyStatus::Ended => row.ended_at = now,
    }
    row.status = to.as_str().to_owned();
    row.revision = row.revision.saturating_add(1);
    policies::update_standing(tx, row)
}

/// One version, by id.
pub fn find_policy(tx: &mut Tx<'_>, policy_id: Uuid) -> Result<PolicyRow, Error> {
    policies::find(tx, policy_id)?.ok_or(Error::NotFound(PolicyId(policy_id)))
}
