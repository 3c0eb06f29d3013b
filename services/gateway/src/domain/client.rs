//! What a machine client may do, and how much of it a token takes along.

use std::collections::BTreeSet;

use kernel::Code;

/// The most permissions of one client.
pub const MAX_PERMISSIONS: usize = 100;
/// The most channels, locations or payees a client is bound to; more and it is better left unbound, since every token
/// carries them.
pub const MAX_SCOPE: usize = 200;

/// A machine client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// `resource:action`, `resource:*` or `*`.
    pub permissions: BTreeSet<String>,
    /// The channels it is bound to; none: all.
    pub channels: Option<BTreeSet<Code>>,
    /// The locations it is bound to; none: all.
    pub locations: Option<BTreeSet<Code>>,
    /// The payees it is bound to; none: all.
    pub payees: Option<BTreeSet<Code>>,
}

impl Client {
    /// Checks every rule and names each broken one as (field, what is wrong).
    pub fn check(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        if self.name.trim().is_empty() || self.name.chars().count() > 200 || self.name.contains('\0') {
            faults.push(("name".to_owned(), "has 1 to 200 characters".to_owned()));
        }
        if self.permissions.is_empty() || self.permissions.len() > MAX_PERMISSIONS {
            faults.push(("permissions".to_owned(), format!("names 1 to {MAX_PERMISSIONS} permissions")));
        }
        for permission in self.permissions.iter().filter(|permission| !is_permission(permission)) {
            faults.push(("permissions".to_owned(), format!("`{permission}` is not resource:action, resource:* or *")));
        }
        let scopes = [("channels", &self.channels), ("locations", &self.locations), ("payees", &self.payees)];
        for (field, scope) in scopes {
            if scope.as_ref().is_some_and(|codes| codes.len() > MAX_SCOPE) {
                faults.push((field.to_owned(), format!("names at most {MAX_SCOPE}")));
            }
        }
        faults
    }

    /// The permissions a token carries: those asked for that the client has, or all of them when none are asked for.
    pub fn granted(&self, asked: &str) -> Result<BTreeSet<String>, String> {
        let asked: BTreeSet<String> = asked.split_ascii_whitespace().map(str::to_owned).collect();
        if asked.is_empty() {
            return Ok(self.permissions.clone());
        }
        match asked.iter().find(|permission| !self.has(permission)) {
            Some(excess) => Err(excess.clone()),
            None => Ok(asked),
        }
    }

    fn has(&self, permission: &str) -> bool {
        let by_resource = permission.split_once(':').map(|(resource, _)| format!("{resource}:*"));
        self.permissions.contains("*")
            || self.permissions.contains(permission)
            || by_resource.is_some_and(|wildcard| self.permissions.contains(&wildcard))
    }
}

fn is_permission(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    text == "*"
        || text.split_once(':').is_some_and(|(resource, action)| word(resource) && (action == "*" || word(action)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(permissions: &[&str]) -> Client {
        Client {
            client_id: "till".into(),
            name: "Till".into(),
            permissions: permissions.iter().map(|p| (*p).to_owned()).collect(),
            channels: None,
            locations: None,
            payees: None,
        }
    }

    #[test]
    fn a_token_never_carries_more_than_the_client_has() {
        let client = client(&["order:read", "stock:*"]);
        assert_eq!(client.granted("order:write"), Err("order:write".to_owned()));
        assert_eq!(client.granted("*"), Err("*".to_owned()));
        assert_eq!(client.granted("stock:write").unwrap().len(), 1);
        assert_eq!(client.granted("").unwrap(), client.permissions);
    }

    #[test]
    fn permissions_have_a_form() {
        assert!(client(&["order:read", "stock:*", "*"]).check().is_empty());
        assert_eq!(client(&["Order", "x:y:z", ":"]).check().len(), 3);
    }
}
