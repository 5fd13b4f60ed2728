//! Tables of the FastAPI app, and the response to an unforeseen fault in them. `tests/faults` covers damaged
//! rows.

use crate::prelude::*;

on_both_databases!(
    the_tables_have_the_columns_of_the_fastapi_application,
    unexpected_error_is_a_500_logged_in_full_and_not_exposed,
);

fn the_tables_have_the_columns_of_the_fastapi_application(service: &Service) {
    for (table, columns) in [
        ("users", ["created_at", "email", "hashed_password", "id", "is_active"].as_slice()),
        ("refresh_tokens", &["created_at", "expires_at", "id", "jti", "revoked", "user_id"]),
    ] {
        let found = match service.database {
            Database::Sqlite(_) => service.database.texts("name", &format!("FROM pragma_table_info('{table}')")),
            Database::Postgres { .. } => {
                let rest = format!("FROM information_schema.columns WHERE table_name = '{table}'");
                service.database.texts("column_name", &rest)
            }
        };
        assert!(columns.iter().all(|column| found.iter().any(|name| name == column)), "{table}: {found:?}");
    }
    let (account, pair) = service.session();
    let rows = |rest: &str| service.database.count(rest);
    assert_eq!(rows(&format!("FROM users WHERE id = {} AND email = '{}' AND is_active", account.id, account.email)), 1);
    let row = format!("FROM refresh_tokens WHERE jti = '{}' AND user_id = {}", pair.jti(), account.id);
    assert_eq!(rows(&format!("{row} AND NOT revoked")), 1);
    service.refresh(&pair.refresh).expect(200);
    assert_eq!(rows(&format!("{row} AND revoked")), 1);
}

fn unexpected_error_is_a_500_logged_in_full_and_not_exposed(backend: Backend) {
    let service = backend.service().start();
    let (account, pair) = service.session();
    service.database.execute("ALTER TABLE refresh_tokens RENAME TO elsewhere");
    for reply in [service.login(&account.email, &account.password), service.refresh(&pair.refresh)] {
        reply.expect_error(500, "INTERNAL_ERROR");
        let body = reply.text().to_lowercase();
        assert!(!body.contains("refresh_tokens") && !body.contains("table") && !body.contains("relation"), "{body}");
        let mut errors = service.log.of_request(reply.request_id());
        errors.retain(|event| event["name"] == "app.errors");
        assert!(errors.len() == 1 && errors[0]["level"] == "ERROR", "{errors:?}");
        assert!(errors[0].to_string().contains("refresh_tokens"), "no cause: {errors:?}");
    }
    service.me(&pair.access).expect(200);
    service.database.execute("ALTER TABLE elsewhere RENAME TO refresh_tokens");
    service.refresh(&pair.refresh).expect(200);
    assert_eq!(service.get("/health/ready").expect(200)["circuits"]["database"]["state"], "closed");
}
