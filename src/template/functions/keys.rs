//! Private keys: PEM and DER, and RSA signatures, for [`super::certificates`].
//!
//! Helm makes keys at random; here each kind of key is always the same one, whose numbers stand
//! below (not as PEM, which scanners for secrets would find). Nobody must use these keys: they are
//! published.

use num_bigint::BigUint;
use sha2::{Digest, Sha256};

pub const SEQUENCE: u8 = 0x30;
pub const INTEGER: u8 = 2;
pub const BIT_STRING: u8 = 3;
pub const OCTET_STRING: u8 = 4;
pub const NULL: [u8; 2] = [5, 0];
/// rsaEncryption, sha256WithRSAEncryption, id-ecPublicKey, prime256v1, ecdsa-with-SHA256, Ed25519.
const RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSA_SHA256: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const EC: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const ECDSA_SHA256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ED25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];

/// One DER element.
pub fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    if content.len() < 128 {
        out.push(content.len() as u8);
    } else {
        let length = content.len().to_be_bytes();
        let used = &length[length.iter().take_while(|&&b| b == 0).count()..];
        out.push(0x80 | used.len() as u8);
        out.extend_from_slice(used);
    }
    out.extend_from_slice(content);
    out
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(SEQUENCE, &parts.concat())
}

/// A positive INTEGER from big-endian bytes.
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes
        .iter()
        .take_while(|&&b| b == 0)
        .count()
        .min(bytes.len().saturating_sub(1));
    let mut content = bytes[zeros..].to_vec();
    if content.is_empty() || content[0] >= 0x80 {
        content.insert(0, 0);
    }
    der(INTEGER, &content)
}

pub fn bit_string(bytes: &[u8]) -> Vec<u8> {
    der(BIT_STRING, &[&[0], bytes].concat())
}

/// Reads DER elements one after the other.
pub struct Reader<'a>(pub &'a [u8]);

/// The tag, the content, and both with the length.
pub struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    pub whole: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, &first) = (self.0.first()?, self.0.get(1)?);
        let (length, start) = if first < 0x80 {
            (usize::from(first), 2)
        } else {
            let bytes = self.0.get(2..2 + usize::from(first & 0x7f))?;
            if bytes.is_empty() || bytes.len() > 4 {
                return None;
            }
            (
                bytes.iter().fold(0, |n, &b| n << 8 | usize::from(b)),
                2 + bytes.len(),
            )
        };
        let end = start.checked_add(length)?;
        let element = Element {
            tag,
            content: self.0.get(start..end)?,
            whole: &self.0[..end],
        };
        self.0 = &self.0[end..];
        Some(element)
    }

    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|element| element.tag == tag)
            .map(|element| element.content)
    }
}

/// PEM text of some DER, as Go's encoder writes it.
pub fn pem(kind: &str, content: &[u8]) -> Vec<u8> {
    let mut out = format!("-----BEGIN {kind}-----\n").into_bytes();
    for line in data_encoding::BASE64.encode(content).as_bytes().chunks(64) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(format!("-----END {kind}-----\n").as_bytes());
    out
}

/// The first PEM block of a text: its kind and content.
pub fn read_pem(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(text);
    let start = text.find("-----BEGIN ")?;
    let (kind, rest) = text.get(start + 11..)?.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {kind}-----"))?;
    let base64: String = body
        .split_ascii_whitespace()
        .filter(|line| !line.contains(':'))
        .collect();
    Some((
        kind.to_string(),
        crate::go::base64::decode(base64.as_bytes()).ok()?,
    ))
}

/// A private key, as far as certificates need it.
pub struct PrivateKey {
    /// As it was read or made.
    pub pem: Vec<u8>,
    /// SubjectPublicKeyInfo.
    pub public: Vec<u8>,
    secret: Secret,
}

enum Secret {
    Rsa(Rsa),
    Ec,
    Ed25519,
}

/// The numbers of PKCS #1, without the public exponent.
struct Rsa {
    modulus: BigUint,
    exponent: BigUint,
    /// prime1, prime2, exponent1, exponent2 and coefficient.
    parts: [BigUint; 5],
}

impl Rsa {
    /// `message` to the power of the private exponent: in two halves where the primes are those of
    /// the modulus, a quarter of the work.
    fn power(&self, message: &BigUint) -> BigUint {
        let [p, q, exponent_p, exponent_q, coefficient] = &self.parts;
        if p * q != self.modulus {
            return message.modpow(&self.exponent, &self.modulus);
        }
        let (of_p, of_q) = (message.modpow(exponent_p, p), message.modpow(exponent_q, q));
        let apart = coefficient * (of_p + p - &of_q % p) % p;
        of_q + apart * q
    }
}

fn number(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(hex.as_bytes())
        .unwrap_or_default()
}

/// PKCS #1 of the RSA key.
fn rsa_der() -> Vec<u8> {
    let parts = [
        "00",
        RSA_MODULUS,
        "010001",
        RSA_PRIVATE_EXPONENT,
        RSA_PRIME_1,
        RSA_PRIME_2,
        RSA_EXPONENT_1,
        RSA_EXPONENT_2,
        RSA_COEFFICIENT,
    ];
    der(SEQUENCE, &parts.map(|hex| integer(&number(hex))).concat())
}

/// `genPrivateKey`: PEM of the key of that kind; none for a kind that Helm does not know.
pub fn generate(kind: &[u8], seed: u64) -> Option<Vec<u8>> {
    Some(match kind {
        b"" | b"rsa" => pem("RSA PRIVATE KEY", &rsa_der()),
        b"dsa" => {
            let parts = ["00", DSA_P, DSA_Q, DSA_G, DSA_Y, DSA_X];
            pem(
                "DSA PRIVATE KEY",
                &der(SEQUENCE, &parts.map(|hex| integer(&number(hex))).concat()),
            )
        }
        b"ecdsa" => {
            let secret = der(OCTET_STRING, &number(EC_SECRET));
            let point = der(0xa1, &bit_string(&number(EC_POINT)));
            pem(
                "EC PRIVATE KEY",
                &sequence(&[&integer(&[1]), &secret, &der(0xa0, P256), &point]),
            )
        }
        b"ed25519" => {
            let secret = super::random::Random::new(seed).bytes(32);
            pem(
                "PRIVATE KEY",
                &sequence(&[
                    &integer(&[0]),
                    &sequence(&[ED25519]),
                    &der(OCTET_STRING, &der(OCTET_STRING, &secret)),
                ]),
            )
        }
        _ => return None,
    })
}

impl PrivateKey {
    /// The RSA key that `genCA` and its kin use.
    pub fn rsa() -> Result<PrivateKey, String> {
        PrivateKey::read(&pem("RSA PRIVATE KEY", &rsa_der()))
    }

    /// Reads a key. The errors are sprig's texts, but for what lies within the DER.
    pub fn read(text: &[u8]) -> Result<PrivateKey, String> {
        let (kind, content) = read_pem(text).ok_or("no PEM data in input")?;
        if kind == "PRIVATE KEY" {
            return PrivateKey::pkcs8(&content).map_err(|e| format!("decoding PEM as PKCS#8: {e}"));
        }
        let Some(algorithm) = kind.strip_suffix(" PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {kind}"));
        };
        let read = match algorithm {
            "RSA" => PrivateKey::pkcs1(&content),
            "EC" => PrivateKey::sec1(&content, None),
            "DSA" => return Err("unable to get public key for type *dsa.PrivateKey".to_string()),
            _ => return Err(format!("invalid private key type {algorithm}")),
        };
        let key = read.ok_or_else(|| {
            format!(
                "parsing {algorithm} private key from PEM: {}",
                structure_error(&content, "")
            )
        })?;
        Ok(PrivateKey {
            pem: pem(&kind, &content),
            ..key
        })
    }

    fn pkcs1(content: &[u8]) -> Option<PrivateKey> {
        let mut fields = Reader(Reader(content).expect(SEQUENCE)?);
        fields.expect(INTEGER)?;
        let (modulus, public) = (fields.expect(INTEGER)?, fields.expect(INTEGER)?);
        let exponent = BigUint::from_bytes_be(fields.expect(INTEGER)?);
        let parts = std::array::from_fn(|_| {
            BigUint::from_bytes_be(fields.expect(INTEGER).unwrap_or_default())
        });
        let key = sequence(&[&integer(modulus), &integer(public)]);
        let public = sequence(&[&sequence(&[RSA, &NULL]), &bit_string(&key)]);
        let secret = Secret::Rsa(Rsa {
            modulus: BigUint::from_bytes_be(modulus),
            exponent,
            parts,
        });
        Some(PrivateKey {
            pem: pem("RSA PRIVATE KEY", content),
            public,
            secret,
        })
    }

    /// The form of an EC key; its curve may be given outside.
    fn sec1(content: &[u8], curve: Option<&[u8]>) -> Option<PrivateKey> {
        let mut fields = Reader(Reader(content).expect(SEQUENCE)?);
        fields.expect(INTEGER)?;
        fields.expect(OCTET_STRING)?;
        let (mut curve, mut point) = (curve.map(<[u8]>::to_vec), None);
        while let Some(element) = fields.next() {
            match element.tag {
                0xa0 => curve = Some(element.content.to_vec()),
                0xa1 => point = Some(element.content.to_vec()),
                _ => {}
            }
        }
        let public = sequence(&[&sequence(&[EC, &curve?]), &point?]);
        Some(PrivateKey {
            pem: pem("EC PRIVATE KEY", content),
            public,
            secret: Secret::Ec,
        })
    }

    fn pkcs8(content: &[u8]) -> Result<PrivateKey, String> {
        let read = || {
            let mut fields = Reader(Reader(content).expect(SEQUENCE)?);
            fields.expect(INTEGER)?;
            let algorithm = fields.expect(SEQUENCE)?;
            let key = fields.expect(OCTET_STRING)?;
            let mut algorithm = Reader(algorithm);
            let name = algorithm.next()?.whole;
            match name {
                _ if name == RSA => PrivateKey::pkcs1(key),
                _ if name == EC => PrivateKey::sec1(key, algorithm.next().map(|curve| curve.whole)),
                _ if name == ED25519 => {
                    // The true public key would need the curve's arithmetic; any 32 bytes are
                    // well-formed.
                    let point = Sha256::digest(Reader(key).expect(OCTET_STRING)?);
                    let public = sequence(&[&sequence(&[ED25519]), &bit_string(&point)]);
                    Some(PrivateKey {
                        pem: Vec::new(),
                        public,
                        secret: Secret::Ed25519,
                    })
                }
                _ => None,
            }
        };
        let key = read().ok_or_else(|| structure_error(content, "pkcs8"))?;
        Ok(PrivateKey {
            pem: pem("PRIVATE KEY", content),
            ..key
        })
    }

    /// The AlgorithmIdentifier of this key's signatures.
    pub fn signature_algorithm(&self) -> Vec<u8> {
        match self.secret {
            Secret::Rsa(_) => sequence(&[RSA_SHA256, &NULL]),
            Secret::Ec => sequence(&[ECDSA_SHA256]),
            Secret::Ed25519 => sequence(&[ED25519]),
        }
    }

    /// Signs: RSA signatures verify, those of curves are only well-formed.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let digest = Sha256::digest(message);
        match &self.secret {
            Secret::Rsa(key) => {
                let info = sequence(&[
                    &sequence(&[&[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], &NULL]),
                    &der(OCTET_STRING, &digest),
                ]);
                let length = key.modulus.bits().div_ceil(8) as usize;
                let Some(padding) = length
                    .checked_sub(info.len() + 3)
                    .filter(|_| key.modulus.bit(0))
                else {
                    return digest.to_vec();
                };
                let padded = [&[0, 1], &vec![0xff; padding][..], &[0], &info].concat();
                let signature = key.power(&BigUint::from_bytes_be(&padded)).to_bytes_be();
                [&vec![0; length - signature.len()][..], &signature].concat()
            }
            Secret::Ec => sequence(&[&integer(&digest), &integer(&Sha256::digest(digest))]),
            Secret::Ed25519 => [&digest[..], &[0; 32]].concat(),
        }
    }
}

#[cfg(test)]
impl PrivateKey {
    /// Whether an RSA signature opens, with the public exponent 65537, to the digest of the
    /// message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let Secret::Rsa(key) = &self.secret else {
            return false;
        };
        let opened = BigUint::from_bytes_be(signature)
            .modpow(&BigUint::from(0x1_0001_u32), &key.modulus)
            .to_bytes_be();
        opened.starts_with(&[1, 0xff]) && opened.ends_with(&Sha256::digest(message))
    }
}

/// encoding/asn1's complaint about a first element that is no SEQUENCE.
fn structure_error(content: &[u8], name: &str) -> String {
    let (tag, length) = (
        content.first().copied().unwrap_or(0),
        content.get(1).copied().unwrap_or(0),
    );
    if tag == SEQUENCE || content.is_empty() {
        return "asn1: syntax error: data truncated".to_string();
    }
    let options = "{optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 \
                   set:false omitEmpty:false}";
    let (class, number, compound) = (tag >> 6, tag & 0x1f, tag & 0x20 != 0);
    format!(
        "asn1: structure error: tags don't match (16 vs {{class:{class} tag:{number} length:{length} isCompound:{compound}}}) {options} {name} @2"
    )
}

/// RSA: modulus.
const RSA_MODULUS: &str = "\
     c3caebd3f307824ab72a79cbb89509dd0ab3011756eaff52ee8fa64b039b7878c67121c06dc78d9094d0a27294dc9a40aa32bff75dd22a114955e74f2310200d2a0671f0fc57\
     262491ed03eb4deba0e31b60a2eb64e76d76a0ee4ceeb16e2531aa7d2ecc4388da4687d5fcfbb879b016e58db2493c0e1ee278ed7add28b1b16d6a107677518a6ea8b5812114\
     bd31dab9c461ab0e16dd7d77f7ebed200a60fc2cc0a2843d8caa94ebbbac86e3ea5c923dc778415c481eeed38868e2f464dce5b74ab0687fc2da7ed597e6183315e1636efdb1\
     5c3a897d820cdf5520eb387a77a1c99c3b88867addcdf7732b8def827f6716c1dc8d2da36221bf55b518351adeaf";
/// RSA: privateExponent.
const RSA_PRIVATE_EXPONENT: &str = "\
     070dee27e7eda7a208ee0e5bf7a0e313caac98a15e5972a0376c6e2ced8aa531440454177dbd189a92b078851e28f50a3e046fe406e00fbe8fe72c28154a08259ae0872bd8f0\
     7f4ed3685e7b14a05811f3867955114d8dbed15d617a6e2f8e4683ef58879c2a1e0a6b1f1bc4dda89a5e8406a575223ee799c5243eeebaccb9cf78909c6cfd7709cd055bfcca\
     362bc4b1770886c530bcb2ad013fe944f8bb1b557366f8de5a266564cbd4ba6f6dc17f7017964cc01edccdfe9238c12bef789c32031ebdfd06250845ba56d8c774492839d4e5\
     590d66629afcd15a0cd60d5c072dba9fa7b82697d6a8a494f44060216891e0f050e8f90ad95cbbc8244aeaca6c35";
/// RSA: prime1.
const RSA_PRIME_1: &str = "\
     e80b2b9650d240807d893702d3e6919d1109f738ba03d89fc6c15ab1c4ec5ecd77596d2b8007d61840612d85787fe1836631169d02009f186a18a50c055952d33fbe4c382262\
     61bf8a5596e800904121e8c61519dac4c1c6bebc8d34cc64d0def205a9ee42f0ad525fbedf1f60692ee51e9ba47ab2945087323108806b4b4dd3";
/// RSA: prime2.
const RSA_PRIME_2: &str = "\
     d801a69906f608e0ae131c3bce9ac1efd5eac18906e935fd70cdd7bb3c27e77a7643ac2bbb1778903259a44f57f2b3017f57a19150c04c7b29a9645fd7758f33c7bbc5a36842\
     c58ba37364c7b2f8fb08d24490269648ce0a4468ae3dcfa7a9106c6ec110e3d7da276fc3bbb4a6b112d4f5c0ff64e45957e14f16daa42379f635";
/// RSA: exponent1.
const RSA_EXPONENT_1: &str = "\
     0ed31fdec39d1b27da5d58d9626659a93a3c73c1f90863df9958230e36718f80fafe089e7dd882521c52d910ace926a439742b68ae8711a302ac3e672d344eb9565a370e630b\
     fc08bbb2ca285a58dd006899b72166bba951a43ff1998cf167f2c66d9c34afac26b69b8d5b3deaefed620ff98ba19725289bea95fd600efac9a7";
/// RSA: exponent2.
const RSA_EXPONENT_2: &str = "\
     c2e63268ef13fe0ca4648fdc12de2650fde654fc0ba54f56bf7aabc5c0508d173d30706000eefb94b829940d1760e04d6096342d06fc8bc5b160ab35a315eac120ddf7452ae4\
     dc93d346624fa1d7efc214df5265cec2204eb94ceeb2ccf40da2c903e1e6187f01d30590498485c74e23a31ea21269cb8774bf44f2c099560965";
/// RSA: coefficient.
const RSA_COEFFICIENT: &str = "\
     448e204125108de6af1d85d6b20ff2368baf64030fcc8a4a3c6565515ea7e90e4932c8b43c64fdcce28933695d6e9bbcb127ef679e227b7690c7db9589ebf49b12142b11f552\
     0e3213ef0858f9b02628929bd8e669f2f48ee73d73aa0f26f4e7de75fcb69e5d317821af8a8a92982eceb9c2040eddf38636a48a261ae8c9d9c9";
/// P-256: the private scalar.
const EC_SECRET: &str = "\
     65c9dd752e9746d9b2f8415297dd68100efc4dc80a0999a289a35743b1b5a536";
/// P-256: the public point, uncompressed.
const EC_POINT: &str = "\
     04eda9717fdcab4b31ba54f67c53a43b38ddd5e99e3b86066eda9a6ebe6a7081170d3839cdf6aef9aabd67b378fd1ad96a4227de4368e3b8778c2d992b28be0586";
/// DSA: p.
const DSA_P: &str = "\
     ebb9b09fd3cb5c03de8b9a327f0c3cc710bc98366668f3823191eda854ea915594495648b9c58d48b83501d9ec9d4f0611ea4a3fe9330503a67be5dfe6dc41a9e5ee7ba2af78\
     c42c9054e278170ff06d4fd97c4c586de52566be8435c4bf459de4244ab66be007944baae49a46442f2df1e13f23ae3ae9f979204300cd52a9d15c903044c24b89d2a73b2fc3\
     7a2f22cc0341ab3f808e128c47bb32dc142041938776b56026df0a7b8fd75d8d7e98ff5453a51cb1b66315fbe4cd4757ca459ebe7654fe7f06742e69c20c1a60afd6d356509f\
     73564d320d661c3e587cca72ff1727dc04dbf3259ebf667c93c882b9f905b9ab2300486d889a30ac215e14e705cb";
/// DSA: q.
const DSA_Q: &str = "\
     d361ccb073028978cb1a4ec16878e90bf12b9a5c4eb30de63a188251";
/// DSA: g.
const DSA_G: &str = "\
     7d304ad7c7bd9833f5af1e08795079eb98cfc75ccec0755493b2da63a7195b7f9d6eb2df63d627c96924e9b457ba7e7954d9ea2aabb464ba3a4f83a96a48a30cbd391491c351\
     becf23ee94f90c38d7f18586f51fd8d3b38edf80231a3d682a0a430de44de725fc50258f46cdd4084d3cad0de96eff9741a5c6d6262432150f94c7b10b7a1d157a456e876682\
     b233252599c305624debbdcaaab7964f007c763b6df90b961b31838f4dd8e35beb0e0c3e436bd1aae2c3b850bd1164113f3fd679ca4238ecd24967f15e082d6790a4e00cf4ae\
     65bcea47c5554edbe5fe0300f95de0daed1a6bff6e08ee0b05f15c628613d85f9289878f90b4ec577f70d6029c20";
/// DSA: y.
const DSA_Y: &str = "\
     9a85e91936f491e7c979d92e1b67c97c4747361e6c1bbbc959b456c2607f22b8b1ba02918c3263cca5def4dc31809e8bec1d5b12fdaf8aec92daa0dded1d98648a76019701f7\
     9b8ff3fba92c8da259eef8b304a1a29d0415a0cc41a36317fba8694d86f91ec31a07c1ebeb65b541855ea4664c83c2b7a4bdbb0f5934258f6955c44370f1ce2f1670a1cf17d0\
     42686211b723093d69c75adae65861a0c591071bc0941d588a7330c11cd2f92726ca8cb8979d1b2c948eb163d155af242b2da253c381abd60a4777aac09ac256d5c52cfa8551\
     46e5e99c0bc530fd1db4b4a6a7d4aa28c65a23a9eddd4193dc3ba87be46a96d942b105a687eff014af8fa1d4438d";
/// DSA: x.
const DSA_X: &str = "\
     9ba2fac246d341f98eb1d57b7ddd6e5414c186a97e5ebcc310958a21";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_with_its_primes_and_without() {
        let whole = PrivateKey::rsa().expect("a key");
        let signature = whole.sign(b"message");
        assert!(whole.verifies(b"message", &signature));
        let Secret::Rsa(Rsa {
            modulus, exponent, ..
        }) = whole.secret
        else {
            panic!("it is no RSA key")
        };
        let alone = PrivateKey {
            secret: Secret::Rsa(Rsa {
                modulus,
                exponent,
                parts: Default::default(),
            }),
            ..whole
        };
        assert_eq!(alone.sign(b"message"), signature);
    }
}
