//! `semver` and `semverCompare`, based on [`crate::go::semver`].

use super::arguments::string;
use crate::go::semver::{Constraint, Version};
use crate::template::function::{Function, FunctionRole, Type};
use crate::value::{Kind, Object, Value};
use std::rc::Rc;

use Type::String as TextType;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("semver", &[TextType], |call, a| {
        let version = Version::parse(&string(a, 0)?.lossy())?;
        call.made(
            Kind::Object(Rc::new(SemVer {
                version,
                is_pointer: true,
            })),
            a,
        )
    })
    .price(8)
    .example(r#"semver "1.2.3-alpha.1+b.2""#, "1.2.3-alpha.1+b.2"),
    Function::new("semverCompare", &[TextType, TextType], |call, a| {
        let constraint = Constraint::parse(&string(a, 0)?.lossy())?;
        let version = Version::parse(&string(a, 1)?.lossy())?;
        call.made(Kind::Bool(constraint.check(&version)), a)
    })
    .role(FunctionRole::SemverCompare)
    .price(8)
    .example(r#"semverCompare ">=1.19-0" "3""#, "true"),
];

/// A `*semver.Version`, or a `semver.Version` from its `Inc…` methods.
#[derive(Debug)]
struct SemVer {
    version: Version,
    is_pointer: bool,
}

/// The Go type of the result of `semver`.
pub(crate) const POINTER: &str = "*semver.Version";

/// Go's zero version, which `deepCopy` makes because it cannot see the fields of a version.
pub(crate) fn unset() -> Kind {
    let version = Version {
        major: 0,
        minor: 0,
        patch: 0,
        prerelease: String::new(),
        metadata: String::new(),
        original: String::new(),
    };
    Kind::Object(Rc::new(SemVer {
        version,
        is_pointer: true,
    }))
}

impl SemVer {
    /// The version that `increment` makes of this one, without prerelease and metadata.
    fn incremented(&self, increment: fn(&mut Version)) -> Result<Value, String> {
        let mut version = self.version.clone();
        increment(&mut version);
        version.prerelease.clear();
        version.metadata.clear();
        let prefix = if self.version.original.starts_with('v') {
            "v"
        } else {
            ""
        };
        version.original = format!("{prefix}{version}");
        Ok(Kind::Object(Rc::new(SemVer {
            version,
            is_pointer: false,
        }))
        .into())
    }
}

impl Object for SemVer {
    fn go_type(&self) -> &str {
        if self.is_pointer {
            POINTER
        } else {
            "semver.Version"
        }
    }
    fn kind(&self) -> &str {
        if self.is_pointer { "ptr" } else { "struct" }
    }
    fn parameters(&self, method: &str) -> Option<&'static [&'static str]> {
        Some(match method {
            "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "Original" | "String"
            | "IncMajor" | "IncMinor" | "IncPatch" => &[],
            "Compare" | "Equal" | "LessThan" | "GreaterThan" | "LessThanEqual"
            | "GreaterThanEqual" => &[POINTER],
            "SetPrerelease" | "SetMetadata" => &["string"],
            _ => return None,
        })
    }
    fn call(&self, method: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let v = &self.version;
        let number = |n: u64| Ok(Kind::Sized(n.into(), "uint64").into());
        let other = || match arguments.first().map(|a| &a.kind) {
            Some(Kind::Object(object)) => object
                .as_any()
                .downcast_ref::<SemVer>()
                .map(|other| v.precedence(&other.version)),
            _ => None,
        };
        let compared = || other().ok_or_else(|| super::lists::NIL_DEREFERENCE.to_string());
        Some(match method {
            "Major" => number(v.major),
            "Minor" => number(v.minor),
            "Patch" => number(v.patch),
            "Prerelease" => Ok(Value::str(&v.prerelease)),
            "Metadata" => Ok(Value::str(&v.metadata)),
            "Original" => Ok(Value::str(&v.original)),
            "String" => Ok(Value::str(v.to_string())),
            "IncMajor" => self
                .incremented(|v| (v.major, v.minor, v.patch) = (v.major.saturating_add(1), 0, 0)),
            "IncMinor" => self.incremented(|v| (v.minor, v.patch) = (v.minor.saturating_add(1), 0)),
            "IncPatch" => self.incremented(|v| {
                if v.prerelease.is_empty() {
                    v.patch = v.patch.saturating_add(1);
                }
            }),
            "Compare" => compared().map(|order| Kind::Int(order as i64).into()),
            "Equal" => compared().map(|order| Value::bool(order.is_eq())),
            "LessThan" => compared().map(|order| Value::bool(order.is_lt())),
            "GreaterThan" => compared().map(|order| Value::bool(order.is_gt())),
            "LessThanEqual" => compared().map(|order| Value::bool(order.is_le())),
            "GreaterThanEqual" => compared().map(|order| Value::bool(order.is_ge())),
            "SetPrerelease" | "SetMetadata" => {
                let extra = arguments
                    .first()
                    .and_then(Value::as_text)
                    .map(|t| t.to_str().into_owned())
                    .unwrap_or_default();
                let base = format!("{}.{}.{}", v.major, v.minor, v.patch);
                let (pre, meta) = if method == "SetPrerelease" {
                    (&extra, &v.metadata)
                } else {
                    (&v.prerelease, &extra)
                };
                let mark = |mark: &str, text: &str| {
                    if text.is_empty() {
                        String::new()
                    } else {
                        format!("{mark}{text}")
                    }
                };
                let invalid = if method == "SetPrerelease" {
                    "invalid prerelease string"
                } else {
                    "invalid metadata string"
                };
                Version::parse(&format!("{base}{}{}", mark("-", pre), mark("+", meta)))
                    .map_err(|e| {
                        if e.starts_with("version segment") {
                            e
                        } else {
                            invalid.to_string()
                        }
                    })
                    .map(|version| {
                        Kind::Object(Rc::new(SemVer {
                            version,
                            is_pointer: false,
                        }))
                        .into()
                    })
            }
            _ => return None,
        })
    }
    fn print(&self) -> Vec<u8> {
        self.version.to_string().into_bytes()
    }
    fn plain(&self) -> Option<Value> {
        Some(Value::str(self.version.to_string()))
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
