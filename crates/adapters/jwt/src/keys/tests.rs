//! Keys and signatures from the RFCs, and files without a usable key.

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../fixtures/", $name))
    };
}

/// The payload of RFC 7515, appendix A.
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn signed(key: &SigningKey, message: &str) -> Vec<u8> {
    key.sign(message.as_bytes(), <[u8]>::to_vec).unwrap()
}

fn expect_signature(algorithm: Algorithm, private: &str, message: &str, signature: &str) {
    let key = SigningKey::of_pem(algorithm, private).unwrap();
    let verifying = key.verifying_key();
    assert!(verifying.verifies(message.as_bytes(), &decoded(signature)), "{algorithm:?}");
    let own = signed(&key, message);
    assert!(verifying.verifies(message.as_bytes(), &own), "{algorithm:?}");
    assert!(!verifying.verifies(format!("{message}.").as_bytes(), &own), "{algorithm:?}");
    let mut changed = own.clone();
    changed[7] ^= 1;
    assert!(!verifying.verifies(message.as_bytes(), &changed), "{algorithm:?}");
    // Only ECDSA draws a nonce.
    assert_eq!(own == decoded(signature), algorithm != Algorithm::Es256, "{algorithm:?}");
    assert_eq!(signed(&key, message) == own, algorithm != Algorithm::Es256, "{algorithm:?}");
}

#[test]
fn the_rs256_example_of_rfc_7515() {
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    for private in [fixture!("rs256.pem"), fixture!("rs256-pkcs1.pem")] {
        expect_signature(Algorithm::Rs256, private, &format!("eyJhbGciOiJSUzI1NiJ9.{JOE}"), signature);
    }
}

#[test]
fn the_es256_example_of_rfc_7515() {
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    for private in [fixture!("es256.pem"), fixture!("es256-sec1.pem")] {
        expect_signature(Algorithm::Es256, private, &format!("eyJhbGciOiJFUzI1NiJ9.{JOE}"), signature);
    }
}

#[test]
fn the_eddsa_example_of_rfc_8037() {
    let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    expect_signature(Algorithm::EdDsa, fixture!("eddsa.pem"), message, signature);
}

#[test]
fn thumbprints_are_those_of_rfc_7638_and_rfc_8037() {
    for (pem, id) in [
        (fixture!("rfc7638-public.pem"), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (fixture!("eddsa-public.pem"), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ] {
        assert_eq!(VerifyingKey::of_pem(pem).unwrap().public().unwrap().id, id);
    }
}

#[test]
fn a_private_key_and_its_public_half_are_one_key_in_every_form() {
    for (algorithm, forms) in [
        (Algorithm::Rs256, [fixture!("rs256.pem"), fixture!("rs256-public.pem"), fixture!("rs256-public-pkcs1.pem")]),
        (Algorithm::Es256, [fixture!("es256.pem"), fixture!("es256-public.pem"), fixture!("es256-sec1.pem")]),
        (Algorithm::EdDsa, [fixture!("eddsa.pem"), fixture!("eddsa-public.pem"), fixture!("eddsa.pem")]),
    ] {
        let [first, second, third] = forms.map(|form| VerifyingKey::of_pem(form).unwrap());
        assert_eq!(first.algorithm(), algorithm);
        assert_eq!(first.public().unwrap().params.algorithm(), algorithm.as_str());
        assert_eq!((first.public(), first.algorithm()), (second.public(), second.algorithm()));
        assert_eq!(first.public(), third.public());
        let signature = signed(&SigningKey::of_pem(algorithm, forms[0]).unwrap(), "message");
        assert!(second.verifies(b"message", &signature) && third.verifies(b"message", &signature));
    }
}

#[test]
fn what_is_no_usable_key_is_refused_with_its_reason() {
    let two = [fixture!("es256.pem"), fixture!("eddsa.pem")].concat();
    let damaged = fixture!("es256.pem").replacen('M', "N", 1);
    for (pem, error) in [
        ("", KeyError::NotPem),
        ("a secret", KeyError::NotPem),
        (&two, KeyError::NotPem),
        (&fixture!("es256.pem")[..100], KeyError::NotPem),
        (&damaged, KeyError::Unusable),
        (fixture!("encrypted.pem"), KeyError::Encrypted),
        (fixture!("encrypted-sec1.pem"), KeyError::Encrypted),
        (fixture!("certificate.pem"), KeyError::NotAKey),
        (fixture!("short.pem"), KeyError::Size),
        (fixture!("pss.pem"), KeyError::Unusable),
        (fixture!("p384.pem"), KeyError::Unusable),
        (fixture!("secp256k1.pem"), KeyError::Unusable),
        (fixture!("secp256k1-sec1.pem"), KeyError::Unusable),
        (fixture!("x25519.pem"), KeyError::Unusable),
        (fixture!("ed448.pem"), KeyError::Unusable),
    ] {
        assert_eq!(VerifyingKey::of_pem(pem).err(), Some(error), "{pem}");
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            assert_eq!(SigningKey::of_pem(algorithm, pem).err(), Some(error), "{algorithm:?}: {pem}");
        }
    }
    for (pem, error) in [
        (fixture!("short-public.pem"), KeyError::Size),
        (fixture!("p384-public.pem"), KeyError::Unusable),
        (fixture!("secp256k1-public.pem"), KeyError::Unusable),
    ] {
        assert_eq!(VerifyingKey::of_pem(pem).err(), Some(error), "{pem}");
        assert_eq!(SigningKey::of_pem(Algorithm::Rs256, pem).err(), Some(KeyError::Public), "{pem}");
    }
}

#[test]
fn a_key_is_for_one_algorithm() {
    let keys = [
        (Algorithm::Rs256, fixture!("rs256.pem")),
        (Algorithm::Es256, fixture!("es256.pem")),
        (Algorithm::EdDsa, fixture!("eddsa.pem")),
    ];
    for (own, pem) in keys {
        for algorithm in Algorithm::ALL {
            let expected = (algorithm != own).then_some(KeyError::WrongKind);
            assert_eq!(SigningKey::of_pem(algorithm, pem).err(), expected, "{algorithm:?}: {own:?}");
        }
        assert_eq!(SigningKey::of_secret(own, b"secret").err(), Some(KeyError::WrongKind));
        assert_eq!(generate(own).map(|made| made.public.params.algorithm()).ok(), Some(own.as_str()));
    }
    assert_eq!(generate(Algorithm::Hs256).err().map(|error| error.to_string()), Some(KeyError::WrongKind.to_string()));
}

#[test]
fn nothing_of_a_key_is_shown() {
    let key = SigningKey::of_secret(Algorithm::Hs256, b"marker").unwrap();
    assert_eq!(format!("{key:?}"), "SigningKey(VerifyingKey { algorithm: Hs256, id: None, .. })");
    let shown = format!("{:?}", SigningKey::of_pem(Algorithm::EdDsa, fixture!("eddsa.pem")).unwrap());
    assert!(shown.len() < 130 && shown.contains("kPrK_qmx"), "{shown}");
}
