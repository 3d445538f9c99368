//! Certificates: `genCA`, `genSelfSignedCert`, `genSignedCert` and their `WithKey` forms,
//! `genPrivateKey`, `buildCustomCert`.
//!
//! The arguments are checked as sprig checks them. The keys and certificates are constants
//! ([`super::keys`]).

use super::arguments::{any, string};
use super::keys;
use crate::go::fmt::print;
use crate::go::{base64, pem};
use crate::source::OriginId;
use crate::template::function::{Answer, Call, Function, Type};
use crate::value::{Kind, Object, Value};
use std::net::IpAddr;
use std::rc::Rc;

use Type::{Int, List, String as TextType};

const CERTIFICATE: Type = Type::Named("sprig.certificate");

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("buildCustomCert", &[TextType, TextType], build_custom).volatile(),
    Function::new("genCA", &[TextType, Int], |call, a| {
        authority(call, a, keys::rsa())
    })
    .volatile()
    .example(
        r#"(genCA "" 1).Cert | trunc 27"#,
        "-----BEGIN CERTIFICATE-----",
    ),
    Function::new("genCAWithKey", &[TextType, Int, TextType], |call, a| {
        authority(call, a, given_key(a, 2)?)
    })
    .volatile()
    .example(
        r#"(genCAWithKey "ca" 10 (genPrivateKey "rsa")) | typeOf"#,
        "sprig.certificate",
    ),
    Function::new("genPrivateKey", &[TextType], |call, a| {
        let kind = string(a, 0)?;
        let key = keys::generate(kind.bytes(), call.seed)
            .unwrap_or_else(|| [b"Unknown type ", kind.bytes()].concat());
        call.made_text(key, a)
    })
    .volatile()
    .example(r#"genPrivateKey "rsa" | kindOf"#, "string"),
    Function::new(
        "genSelfSignedCert",
        &[TextType, List, List, Int],
        |call, a| leaf(call, a, keys::rsa()),
    )
    .volatile()
    .example(
        r#"(genSelfSignedCert "cn" nil nil 10) | typeOf"#,
        "sprig.certificate",
    ),
    Function::new(
        "genSelfSignedCertWithKey",
        &[TextType, List, List, Int, TextType],
        |call, a| leaf(call, a, given_key(a, 4)?),
    )
    .volatile(),
    Function::new(
        "genSignedCert",
        &[TextType, List, List, Int, CERTIFICATE],
        |call, a| leaf(call, a, keys::rsa()),
    )
    .volatile()
    .example(
        r#"(genSignedCert "cn" nil nil 365 (genCA "ca" 365)) | typeOf"#,
        "sprig.certificate",
    ),
    Function::new(
        "genSignedCertWithKey",
        &[TextType, List, List, Int, CERTIFICATE, TextType],
        |call, a| leaf(call, a, given_key(a, 5)?),
    )
    .volatile(),
];

/// `sprig.certificate`: a certificate and its key, both in PEM.
#[derive(Debug)]
struct Certificate {
    cert: Vec<u8>,
    key: Vec<u8>,
    origin: OriginId,
}

impl Object for Certificate {
    fn go_type(&self) -> &str {
        "sprig.certificate"
    }
    fn kind(&self) -> &str {
        "struct"
    }
    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(Value::str_from(&self.cert, self.origin)),
            "Key" => Some(Value::str_from(&self.key, self.origin)),
            _ => None,
        }
    }
    fn print(&self) -> Vec<u8> {
        [b"{", &self.cert[..], b" ", &self.key, b"}"].concat()
    }
    fn plain(&self) -> Option<Value> {
        let entries = ["Cert", "Key"].map(|name| (name, self.field(name).unwrap_or_default()));
        Some(Value::map(super::dicts::text_map(entries)))
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn given_key(arguments: &[Value], index: usize) -> Result<Vec<u8>, String> {
    let key = string(arguments, index)?.bytes();
    keys::check_private_key(key).map_err(|e| format!("parsing private key: {e}"))?;
    Ok(key.to_vec())
}

fn authority(call: &mut Call, arguments: &[Value], key: Vec<u8>) -> Answer {
    let cert = keys::certificate(true, call.seed);
    finish(call, arguments, cert, key)
}

/// Makes a certificate that is not an authority. It is signed by itself or by the authority that is
/// given.
fn leaf(call: &mut Call, arguments: &[Value], key: Vec<u8>) -> Answer {
    check_addresses(any(arguments, 1)?)?;
    check_hosts(any(arguments, 2)?)?;
    let cert = keys::certificate(false, call.seed);
    finish(call, arguments, cert, key)
}

fn finish(call: &mut Call, arguments: &[Value], cert: Vec<u8>, key: Vec<u8>) -> Answer {
    let origin = call.joined(arguments);
    Ok(Value::new(
        Kind::Object(Rc::new(Certificate { cert, key, origin })),
        origin,
    ))
}

fn build_custom(call: &mut Call, arguments: &[Value]) -> Answer {
    let cert = base64::decode(string(arguments, 0)?.bytes())
        .map_err(|_| "unable to decode base64 certificate".to_string())?;
    let key = base64::decode(string(arguments, 1)?.bytes())
        .map_err(|_| "unable to decode base64 private key".to_string())?;
    let (_, content) = pem::decode(&cert).ok_or("unable to decode certificate")?;
    keys::check_certificate(&content)
        .map_err(|e| format!("error parsing certificate: decodedCert.Bytes: {e}"))?;
    // Kinds of keys that thebot-lint does not know are accepted.
    match keys::check_private_key(&key) {
        Err(e) if !e.starts_with("unable to get public key") => {
            Err(format!("error parsing private key: {e}").into())
        }
        _ => finish(call, arguments, cert, key),
    }
}

fn check_addresses(list: &Value) -> Result<(), String> {
    let parse = |value: &Value| match &value.kind {
        Kind::Str(text) => text
            .to_str()
            .parse::<IpAddr>()
            .map(drop)
            .map_err(|_| format!("error parsing ip: {}", text.to_str())),
        _ => Err(format!(
            "error parsing ip: {} is not a string",
            shown(value)
        )),
    };
    list.as_list().unwrap_or(&[]).iter().try_for_each(parse)
}

fn check_hosts(list: &Value) -> Result<(), String> {
    let text = |value: &Value| match &value.kind {
        Kind::Str(_) => Ok(()),
        _ => Err(format!(
            "error processing alternate dns name: {} is not a string",
            shown(value)
        )),
    };
    list.as_list().unwrap_or(&[]).iter().try_for_each(text)
}

fn shown(value: &Value) -> String {
    print(value, 1 << 16)
        .ok()
        .and_then(|v| v.as_text().map(|t| t.to_str().into_owned()))
        .unwrap_or_default()
}
