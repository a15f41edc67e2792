//! The named resolvers: `oc.env`, `oc.select`, `oc.decode`, `oc.create`, `oc.dict.keys`, `oc.dict.values`,
//! `oc.deprecated`, `now` and `hydra`.

use super::resolve::{Computed, Resolver};
use super::{Surroundings, check_texts};
use crate::custom::CustomResolvers;
use crate::error::{ConfigError, ErrorKind, did_you_mean, joined, listed, nearest};
use crate::lambda::Lambda;
use crate::python;
use crate::strftime::strftime;
use crate::tree::{Content, NodeId};
use crate::value::{Key, Map, Value};
use crate::yaml;

const NAMES: [&str; 9] = [
    "hydra",
    "now",
    "oc.create",
    "oc.decode",
    "oc.deprecated",
    "oc.dict.keys",
    "oc.dict.values",
    "oc.env",
    "oc.select",
];

/// Whether a resolver of OmegaConf's or Hydra's has this name.
pub(crate) fn is_builtin(name: &str) -> bool {
    NAMES.contains(&name)
}

impl Resolver<'_> {
    /// Calls a resolver.
    pub(super) fn call(
        &mut self,
        name: &str,
        arguments: &[Computed],
        parent: NodeId,
        at: NodeId,
    ) -> Result<Computed, ConfigError> {
        let call = Call { name, arguments, parent, at };
        match name {
            "oc.env" => self.env(&call),
            "oc.select" => self.select_or_default(&call),
            "oc.decode" => self.decode_text(&call),
            "oc.create" => self.create(&call),
            "oc.dict.keys" => self.dict_keys(&call),
            "oc.dict.values" => self.dict_values(&call),
            "oc.deprecated" => self.deprecated(&call),
            "now" => self.now(&call),
            "hydra" => self.hydra(&call),
            _ => {
                if let Some(lambda) = self.surroundings.custom.and_then(|custom| custom.get(name)) {
                    return self.custom(&call, lambda);
                }
                let message = format!("unknown resolver {name:?}");
                // OmegaConf's first resolvers had no `oc.` before their names.
                let old = NAMES.into_iter().find(|known| known.strip_prefix("oc.") == Some(name));
                let custom = self.surroundings.custom.into_iter().flat_map(CustomResolvers::names);
                let names: Vec<&str> = NAMES.into_iter().chain(custom).collect();
                let near = old.or_else(|| nearest(name, names.iter().copied()));
                let near = near.map(|near| did_you_mean(format!("${{{near}:…}}")));
                let own = "one that an application registers in Python can be given in a file, with --resolvers FILE";
                let hint = joined(near, joined(listed("the resolvers", &names), Some(own.to_owned())));
                Err(ConfigError::new(ErrorKind::InterpUnknownResolver, message).with_hint(hint))
            }
        }
    }

    /// A resolver of the user's own: its arguments are resolved, and its result is no text to resolve again.
    fn custom(&mut self, call: &Call<'_>, lambda: &Lambda) -> Result<Computed, ConfigError> {
        let arguments = call.arguments.iter().map(|argument| self.value_of(argument)).collect::<Result<_, _>>()?;
        let mut steps = 0;
        let value = lambda.call(arguments, &mut steps);
        // Many calls, each within its limit, would cost without end.
        self.tree.spend_values(steps)?;
        match value.map_err(|error| call.failed(error.to_string()))? {
            value @ (Value::List(_) | Value::Map(_)) => Ok(Computed::Node(self.hang(&value, call.parent, call.at)?)),
            value => Ok(Computed::Value(value)),
        }
    }

    fn value_of(&mut self, computed: &Computed) -> Result<Value, ConfigError> {
        match computed {
            Computed::Node(id) => self.copied(*id),
            Computed::Value(value) => Ok(value.clone()),
        }
    }

    fn text_argument(&mut self, call: &Call<'_>) -> Result<String, ConfigError> {
        match self.value_of(&call.arguments[0])? {
            Value::Str(text) => Ok(text),
            other => Err(call.failed(format!("expected a text, got {}", other.type_name()))),
        }
    }

    /// The variable; else the default as a text, null excepted.
    fn env(&mut self, call: &Call<'_>) -> Result<Computed, ConfigError> {
        call.expect_arguments(1..=2)?;
        let name = self.text_argument(call)?;
        let found = self.surroundings.env.and_then(|env| env.get(&name));
        Ok(Computed::Value(match (found, call.arguments.get(1)) {
            (Some(value), _) => Value::Str(value.clone()),
            (None, Some(Computed::Value(Value::Null))) => Value::Null,
            (None, Some(default)) => match self.value_of(default)? {
                Value::Null => Value::Null,
                default => Value::Str(python::str(&default)),
            },
            (None, None) => {
                let hint = format!("set {name}, or give a default: `${{oc.env:{name},default}}`");
                return Err(call.failed(format!("environment variable {name:?} not found")).with_hint(Some(hint)));
            }
        }))
    }

    fn select_or_default(&mut self, call: &Call<'_>) -> Result<Computed, ConfigError> {
        call.expect_arguments(1..=2)?;
        let path = self.text_argument(call)?;
        match self.lookup(call, &path, false)? {
            Some(found) => Ok(found),
            None => Ok(call.arguments.get(1).cloned().unwrap_or(Computed::Value(Value::Null))),
        }
    }

    /// What a path names; `None` when there is nothing, or a missing value.
    fn lookup(&mut self, call: &Call<'_>, path: &str, refuse_missing: bool) -> Result<Option<Computed>, ConfigError> {
        let Some((start, rest)) = self.start_of(path, call.parent) else {
            return Err(call.failed(format!("the dots of {path:?} lead out of the config")));
        };
        let found = match self.select(start, &rest, refuse_missing) {
            Err(error) if error.kind() == ErrorKind::InterpThroughScalar && !error.is_nested() => None,
            found => found?,
        };
        Ok(found.filter(|found| !matches!(found, Computed::Node(id) if self.tree.is_missing(*id))))
    }

    fn decode_text(&mut self, call: &Call<'_>) -> Result<Computed, ConfigError> {
        call.expect_arguments(1..=1)?;
        match self.value_of(&call.arguments[0])? {
            Value::Null => Ok(Computed::Value(Value::Null)),
            Value::Str(text) => self.decode(&text, call.parent, call.at),
            other => Err(call.failed(format!("expected a text or null, got {}", other.type_name()))),
        }
    }

    /// A container whose own interpolations are resolved in its place.
    fn create(&mut self, call: &Call<'_>) -> Result<Computed, ConfigError> {
        call.expect_arguments(1..=1)?;
        let value = match self.value_of(&call.arguments[0])? {
            Value::Str(text) => match self.loaded(&text)? {
                Value::Null => Value::Map(Map::new()),
                Value::Str(key) => Value::Map(Map::from([(Key::Str(key), Value::Null)])),
                other => other,
            },
            other => other,
        };
        match value {
            Value::Null => Ok(Computed::Value(Value::Null)),
            Value::List(_) | Value::Map(_) => {
                check_texts(&value)?;
                Ok(Computed::Node(self.hang(&value, call.parent, call.at)?))
            }
            other => Err(call.failed(format!("cannot create a config from {}", other.type_name()))),
        }
    }

    /// What YAML makes of the text of a config.
    fn loaded(&mut self, text: &str) -> Result<Value, ConfigError> {
        self.tree.spend_values(text.len())?;
        Ok(yaml::load_any(text).map_err(|error| error.in_text("in the text to create from"))?.to_value())
    }

    fn dict_argument(&mut self, call: &Call<'_>) -> Result<(String, NodeId), ConfigError> {
        call.expect_arguments(1..=1)?;
        let path = self.text_argument(call)?;
        let found = self.lookup(call, &path, true).map_err(|error| match error.kind() {
            // A resolver that meets a missing value failed; only `${missing}` itself is a missing value.
            ErrorKind::InterpMissingValue if !error.is_nested() => error.with_kind(ErrorKind::ResolverFailed),
            _ => error,
        })?;
        match found {
            Some(Computed::Node(id)) if matches!(self.tree.content(id), Content::Map(_)) => Ok((path, id)),
            Some(other) => {
                Err(call.failed(format!("expected a map at {path:?}, got {}", self.value_of(&other)?.type_name())))
            }
            None => Err(call.failed(format!("key {path:?} not found"))),
        }
    }

    fn dict_keys(&mut self, call: &Call<'_>) -> Result<Computed, ConfigError> {
        let (_, id) = self.dict_argument(call)?;
        let keys = self.tree.map(id).into_iter().flatten().map(|(key, _)| key.to_value()).collect();
        Ok(Computed::Node(self.hang(&Value::List(keys), call.parent, call.at)?))
    }

    /// A list of interpolations to the entries, one level further down than the text.
    fn dict_values(&mut self, call: &Call<'_>) -> Result<Computed, ConfigError> {
        let (path, id) = self.dict_argument(call)?;
        let path = if path.starts_with('.') { format!(".{path}") } else { path };
        let references = self.tree.map(id).into_iter().flatten();
        let references: Vec<Value> =
            references.map(|(key, _)| Value::Str(format!("${{{path}.{}}}", python::str(&key.to_value())))).collect();
        let list = Value::List(references);
        check_texts(&list)?;
        Ok(Computed::Node(self.hang(&list, call.parent, call.at)?))
    }

    fn deprecated(&mut self, call: &Call<'_>) -> Result<Computed, ConfigError> {
        call.expect_arguments(1..=2)?;
        let path = self.text_argument(call)?;
        let message = match call.arguments.get(1).map(|message| self.value_of(message)).transpose()? {
            None => "'$OLD_KEY' is deprecated. Change your code and config to use '$NEW_KEY'".to_owned(),
            Some(Value::Str(message)) => message,
            Some(other) => return Err(call.failed(format!("expected a text as message, got {}", other.type_name()))),
        };
        let Some((start, rest)) = self.start_of(&path, call.parent) else {
            return Err(call.failed(format!("the dots of {path:?} lead out of the config")));
        };
        let found = match self.select(start, &rest, false) {
            Err(error) if error.kind() == ErrorKind::InterpThroughScalar && !error.is_nested() => None,
            found => found?,
        };
        let found = found.ok_or_else(|| call.failed(format!("key {path:?} not found")))?;
        let old_key = self.tree.full_key(call.at);
        let new_key = match &found {
            Computed::Node(id) => self.tree.full_key(*id),
            Computed::Value(_) => path,
        };
        self.surroundings.warnings.borrow_mut().push(substitute(&message, &old_key, &new_key));
        Ok(found)
    }

    fn now(&mut self, call: &Call<'_>) -> Result<Computed, ConfigError> {
        call.expect_arguments(1..=1)?;
        let pattern = self.text_argument(call)?;
        let Some(now) = &self.surroundings.now else {
            return Err(call.failed("no time was given for the run".to_owned()));
        };
        if pattern.contains('\0') {
            return Err(call.failed("expected a pattern without a null character, got one".to_owned()));
        }
        Ok(Computed::Value(Value::Str(strftime(&pattern, now))))
    }

    /// A value below the `hydra` node of the run.
    fn hydra(&mut self, call: &Call<'_>) -> Result<Computed, ConfigError> {
        call.expect_arguments(1..=1)?;
        let path = self.text_argument(call)?;
        let (Some(tree), Some(root)) = (&self.surroundings.hydra, self.surroundings.hydra_root) else {
            let hint = "only a run has such values: resolve as inside a run".to_owned();
            let error = ConfigError::new(ErrorKind::HydraConfigUnset, "there is no run, so ${hydra:…} has no value");
            return Err(error.with_hint(Some(hint)));
        };
        let mut tree = tree.borrow_mut();
        let Some(hydra) = tree.child(root, "hydra") else { return Ok(Computed::Value(Value::Null)) };
        let surroundings = Surroundings {
            env: self.surroundings.env,
            now: self.surroundings.now.clone(),
            custom: self.surroundings.custom,
            ..Surroundings::default()
        };
        let mut resolver = Resolver::new(&mut tree, &surroundings);
        let found = match resolver.select(hydra, &path, false) {
            Err(error) if error.kind() == ErrorKind::InterpThroughScalar && !error.is_nested() => None,
            found => found?,
        };
        Ok(Computed::Value(match found {
            None => Value::Null,
            Some(Computed::Value(value)) => value,
            Some(Computed::Node(id)) => match resolver.resolved(id)? {
                value if value.is_missing() => Value::Null,
                value => value,
            },
        }))
    }
}

/// One call of a resolver.
struct Call<'a> {
    name: &'a str,
    arguments: &'a [Computed],
    /// The container of the text.
    parent: NodeId,
    /// The node that holds the text.
    at: NodeId,
}

impl Call<'_> {
    fn failed(&self, message: String) -> ConfigError {
        ConfigError::new(ErrorKind::ResolverFailed, format!("{}: {message}", self.name))
    }

    fn expect_arguments(&self, range: std::ops::RangeInclusive<usize>) -> Result<(), ConfigError> {
        let got = self.arguments.len();
        if range.contains(&got) {
            return Ok(());
        }
        let expected = match (range.start(), range.end()) {
            (1, 1) => "1 argument".to_owned(),
            (start, end) => format!("{start} to {end} arguments"),
        };
        Err(self.failed(format!("expected {expected}, got {got}")))
    }
}

/// `string.Template.safe_substitute` for the two names it is given.
fn substitute(message: &str, old_key: &str, new_key: &str) -> String {
    let mut out = String::new();
    let mut rest = message;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = [
            ("$$", "$"),
            ("${OLD_KEY}", old_key),
            ("${NEW_KEY}", new_key),
            ("$OLD_KEY", old_key),
            ("$NEW_KEY", new_key),
        ];
        let continues = |after: &str| after.starts_with(|ch: char| ch.is_ascii_alphanumeric() || ch == '_');
        let found = known.into_iter().find(|(name, _)| {
            rest.strip_prefix(name).is_some_and(|after| name.ends_with(['}', '$']) || !continues(after))
        });
        let (name, value) = found.unwrap_or(("$", "$"));
        out.push_str(value);
        rest = &rest[name.len()..];
    }
    out.push_str(rest);
    out
}
