//! Hashes, passwords and ciphers: `sha256sum` and similar, `bcrypt`, `htpasswd`, `derivePassword`,
//! `encryptAES`, `decryptAES`. The whole output has every origin of the input.

use super::arguments::{Str, int, string};
use super::random::Random;
use crate::go::base64;
use crate::template::function::{Answer, Call, Function, SLOW_HASH, Type};
use crate::value::Value;
use aes::cipher::block_padding::{NoPadding, Pkcs7};
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use Type::String as TextType;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("adler32sum", &[TextType], |call, a| {
        let sum = adler2::adler32_slice(string(a, 0)?.bytes());
        call.made_text(sum.to_string(), a)
    })
    .example(r#"adler32sum (repeat 40 "ab ")"#, "1827939193"),
    Function::new("bcrypt", &[TextType], |call, a| {
        let hash = bcrypt_hash(string(a, 0)?.bytes(), call.seed);
        call.made_text(hash, a)
    })
    .volatile()
    .basic_price(SLOW_HASH)
    .example(
        r#"bcrypt (repeat 73 "a")"#,
        "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes",
    ),
    Function::new("decryptAES", &[TextType, TextType], decrypt)
        .price(8)
        .example(
            r#"encryptAES "secret" "hello" | decryptAES "secret""#,
            "hello",
        ),
    Function::new(
        "derivePassword",
        &[
            Type::Named("uint32"),
            TextType,
            TextType,
            TextType,
            TextType,
        ],
        |call, a| {
            let counter = int(a, 0)? as u32;
            let password = derive_password(
                counter,
                string(a, 1)?,
                string(a, 2)?,
                string(a, 3)?,
                string(a, 4)?,
            );
            call.made_text(password, a)
        },
    )
    .basic_price(SLOW_HASH)
    .example(r#"derivePassword 1 "basic" "" "" """#, "un78OYW2"),
    Function::new("encryptAES", &[TextType, TextType], encrypt)
        .volatile()
        .price(8)
        .example(r#"encryptAES "k" "x" | kindOf"#, "string"),
    Function::new("htpasswd", &[TextType, TextType], |call, a| {
        let (name, password) = (string(a, 0)?.bytes(), string(a, 1)?.bytes());
        if name.contains(&b':') {
            return call.made_text([b"invalid username: ", name].concat(), a);
        }
        let hash = bcrypt_hash(password, call.seed);
        call.made_text([name, b":", hash.as_bytes()].concat(), a)
    })
    .volatile()
    .basic_price(SLOW_HASH)
    .example(
        r#"htpasswd "u" (repeat 73 "a")"#,
        "u:failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes",
    ),
    Function::new("sha1sum", &[TextType], |call, a| {
        let sum = Sha1::digest(string(a, 0)?.bytes());
        call.made_text(data_encoding::HEXLOWER.encode(&sum), a)
    })
    .example(
        r#"sha1sum "UPPER_case-mix 12x""#,
        "de14846cdfc4125088eaab5d4320759dbcc76610",
    ),
    Function::new("sha256sum", &[TextType], |call, a| {
        let sum = Sha256::digest(string(a, 0)?.bytes());
        call.made_text(data_encoding::HEXLOWER.encode(&sum), a)
    })
    .writes_text()
    .example(
        r#"sha256sum (repeat 40 "ab ")"#,
        "9575b1ce35c8309009d191b97c2a738dbcdd8c181265a0e68d2f85714a977f73",
    ),
    Function::new("sha512sum", &[TextType], |call, a| {
        let sum = Sha512::digest(string(a, 0)?.bytes());
        call.made_text(data_encoding::HEXLOWER.encode(&sum), a)
    }),
];

/// Go's default cost.
const BCRYPT_COST: u32 = 10;

/// Makes a valid bcrypt hash whose salt depends only on `seed`.
fn bcrypt_hash(password: &[u8], seed: u64) -> String {
    if password.len() > 72 {
        return "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
            .to_string();
    }
    let mut salt = [0; 16];
    salt.copy_from_slice(&Random::new(seed).bytes(16));
    match bcrypt::hash_with_salt(password, BCRYPT_COST, salt) {
        Ok(parts) => parts.format_for_version(bcrypt::Version::TwoA),
        Err(error) => format!("failed to encrypt string with bcrypt: {error}"),
    }
}

/// The forms of the Master Password algorithm for a type of password. Each letter is a class of
/// characters.
fn password_forms(kind: &[u8]) -> Option<&'static [&'static str]> {
    Some(match kind {
        b"maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        b"long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        b"medium" => &["CvcnoCvc", "CvcCvcno"],
        b"short" => &["Cvcn"],
        b"basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        b"pin" => &["nnnn"],
        _ => return None,
    })
}

fn password_characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

fn derive_password(counter: u32, kind: Str, password: Str, user: Str, site: Str) -> Vec<u8> {
    let scope = b"com.lyndir.masterpassword";
    let Some(forms) = password_forms(kind.bytes()) else {
        return [b"cannot find password template ", kind.bytes()].concat();
    };
    let length = |s: Str| (s.len() as u32).to_be_bytes();
    let failed = || b"failed to derive password".to_vec();
    let Ok(parameters) = scrypt::Params::new(15, 8, 2) else {
        return failed();
    };
    let mut key = [0; 64];
    let salt = [&scope[..], &length(user), user.bytes()].concat();
    if scrypt::scrypt(password.bytes(), &salt, &parameters, &mut key).is_err() {
        return failed();
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else {
        return failed();
    };
    mac.update(
        &[
            &scope[..],
            &length(site),
            site.bytes(),
            &counter.to_be_bytes(),
        ]
        .concat(),
    );
    let seed = mac.finalize().into_bytes();
    let form = forms[usize::from(seed[0]) % forms.len()];
    let pick = |(class, seed): (u8, &u8)| {
        let characters = password_characters(class);
        characters[usize::from(*seed) % characters.len()]
    };
    form.bytes().zip(seed.iter().skip(1)).map(pick).collect()
}

/// The first 32 bytes of the password, padded with zeros.
fn aes_key(password: Str) -> [u8; 32] {
    let mut key = [0; 32];
    let used = password.len().min(32);
    key[..used].copy_from_slice(&password.bytes()[..used]);
    key
}

fn encrypt(call: &mut Call, arguments: &[Value]) -> Answer {
    let (password, plain) = (string(arguments, 0)?, string(arguments, 1)?);
    if plain.len() == 0 {
        return call.made_text("", arguments);
    }
    call.afford(plain.len().saturating_mul(2))?;
    let mut iv = [0; 16];
    iv.copy_from_slice(&Random::new(call.seed).bytes(16));
    let cipher = cbc::Encryptor::<aes::Aes256>::new(&aes_key(password).into(), &iv.into());
    let secret = cipher.encrypt_padded_vec::<Pkcs7>(plain.bytes());
    call.made_text(
        data_encoding::BASE64.encode(&[&iv[..], &secret].concat()),
        arguments,
    )
}

fn decrypt(call: &mut Call, arguments: &[Value]) -> Answer {
    let (password, text) = (string(arguments, 0)?, string(arguments, 1)?);
    if text.len() == 0 {
        return call.made_text("", arguments);
    }
    let secret = base64::decode(text.bytes()).map_err(|e| e.to_string())?;
    let capacity = text.len() / 4 * 3;
    if secret.len() < 16 {
        let what = if capacity < 16 {
            format!("[:16] with capacity {capacity}")
        } else {
            format!("[16:{}]", secret.len())
        };
        return Err(format!("runtime error: slice bounds out of range {what}").into());
    }
    let (iv, secret) = secret.split_at(16);
    let mut start = [0; 16];
    start.copy_from_slice(iv);
    let cipher = cbc::Decryptor::<aes::Aes256>::new(&aes_key(password).into(), &start.into());
    let plain = cipher
        .decrypt_padded_vec::<NoPadding>(secret)
        .map_err(|_| "crypto/cipher: input not full blocks".to_string())?;
    let Some(&padding) = plain.last() else {
        return Err("runtime error: index out of range [-1]".into());
    };
    match plain.len().checked_sub(padding.into()) {
        Some(end) => call.made_text(&plain[..end], arguments),
        None => Err(format!(
            "runtime error: slice bounds out of range [:{}]",
            plain.len() as i64 - i64::from(padding)
        )
        .into()),
    }
}
