//! Page texts in German.

use super::{ErrorTexts, FormPage, Home, Notice, OwnPassword, Translations};

pub(super) const WORDS: Translations = Translations {
    fault: "Fehler",
    home: Home {
        title: "Konten und Anmeldung",
        text: "Apps und Websites melden Menschen über diesen Dienst an. Zum Anmelden gehen Sie dorthin zurück, woher Sie kommen.",
        account: "Ihr Konto",
        reset: "Vergessenes Passwort zurücksetzen",
        verify: "E-Mail-Adresse bestätigen lassen",
        developers: "Für Entwickler",
        docs: "API ausprobieren (Swagger UI)",
        redoc: "API-Referenz lesen (ReDoc)",
        document: "OpenAPI-Dokument öffnen",
    },
    verify: FormPage {
        title: "E-Mail-Adresse bestätigen",
        text: "Bestätigen Sie mit der Schaltfläche, dass diese Adresse Ihnen gehört.",
        button: "Adresse bestätigen",
    },
    change: FormPage {
        title: "Neue E-Mail-Adresse bestätigen",
        text: "Mit der Schaltfläche wird dies die Adresse Ihres Kontos. Auf anderen Geräten werden Sie abgemeldet.",
        button: "Diese Adresse verwenden",
    },
    undo: FormPage {
        title: "Adressänderung rückgängig machen",
        text: "Mit der Schaltfläche erhält Ihr Konto die Adresse zurück, an die unsere Nachricht ging. \
               Alle, die darin angemeldet sind, werden abgemeldet.",
        button: "Rückgängig machen",
    },
    reset: FormPage {
        title: "Neues Passwort festlegen",
        text: "Sie werden auf allen Geräten abgemeldet.",
        button: "Passwort speichern",
    },
    verified: Notice { title: "Ihre Adresse ist bestätigt", text: "Sie können sich damit anmelden." },
    changed: Notice { title: "Ihre neue Adresse ist bestätigt", text: "Melden Sie sich ab jetzt mit ihr an." },
    undone: Notice { title: "Ihre alte Adresse gilt wieder", text: "Alle Geräte wurden von Ihrem Konto abgemeldet." },
    password_changed: Notice {
        title: "Ihr Passwort ist geändert",
        text: "Sie wurden auf allen Geräten abgemeldet. Melden Sie sich mit dem neuen Passwort an.",
    },
    others_signed_out: "Andere Geräte wurden abgemeldet.",
    own_password: OwnPassword {
        label: "Geben Sie das Passwort ein, das Sie gewählt haben",
        hint: "Dann behalten Sie es.",
        none: FormPage {
            title: "Kein eigenes Passwort?",
            text: "Vielleicht hat jemand anders Ihre Adresse benutzt. Das fremde Passwort gilt dann nicht mehr, und Sie legen ein neues fest.",
            button: "Ich habe keines gewählt: neues Passwort festlegen",
        },
    },
    offer_removed: Notice {
        title: "Neues Passwort festlegen",
        text: "Das bisherige Passwort dieses Kontos gilt nicht mehr.",
    },
    offer_undone: Notice {
        title: "Neues Passwort festlegen",
        text: "Wer die Adresse geändert hat, kennt vielleicht Ihr Passwort.",
    },
    dead: Notice {
        title: "Dieser Link gilt nicht mehr",
        text: "Er wurde benutzt, ist zu alt, oder eine neuere Nachricht hat ihn ersetzt. \
               Wenn Sie gerade seine Schaltfläche betätigt haben, ist alles gut: Er wirkt einmal.",
    },
    ask_verification: FormPage {
        title: "Neue Nachricht anfordern",
        text: "Geben Sie Ihre Adresse ein, und wir schicken Ihnen einen neuen Link zur Bestätigung.",
        button: "Nachricht senden",
    },
    ask_reset: FormPage {
        title: "Passwort vergessen?",
        text: "Geben Sie die Adresse Ihres Kontos ein, und wir schicken Ihnen einen Link für ein neues Passwort.",
        button: "Nachricht senden",
    },
    sent_verification: Notice {
        title: "Sehen Sie in Ihr Postfach",
        text: "Falls diese Adresse noch zu bestätigen ist, ist eine Nachricht unterwegs. Ihr Link gilt 24 Stunden.",
    },
    sent_reset: Notice {
        title: "Sehen Sie in Ihr Postfach",
        text: "Falls es ein Konto mit dieser Adresse gibt, ist eine Nachricht unterwegs. Ihr Link gilt 30 Minuten.",
    },
    email: "E-Mail-Adresse",
    password: "Neues Passwort",
    password_hint: "Mindestens {n} Zeichen.",
    repetition: "Neues Passwort wiederholen",
    faults: ErrorTexts {
        email: "Geben Sie eine E-Mail-Adresse ein, zum Beispiel name@example.com.",
        too_short: "Das Passwort braucht mindestens {n} Zeichen.",
        too_long: "Das Passwort darf höchstens {n} Zeichen haben.",
        common: "Dieses Passwort verwenden zu viele. Wählen Sie ein anderes.",
        differs: "Die beiden Passwörter sind nicht gleich.",
        wrong_password: "Das ist nicht das Passwort. Versuchen Sie es noch einmal, oder legen Sie ein neues fest.",
        taken: "Diese Adresse hat inzwischen ein anderes Konto.",
        limited: "Das wurde zu oft versucht. Versuchen Sie es später noch einmal.",
        unavailable: "Das geht im Moment nicht. Versuchen Sie es gleich noch einmal.",
        foreign: "Das Formular kam von einer anderen Website. Öffnen Sie den Link in Ihrer Nachricht, \
                  und benutzen Sie das Formular dort.",
        unreadable: "Das Formular war nicht lesbar. Öffnen Sie den Link in Ihrer Nachricht noch einmal.",
        unexpected: "Etwas ist schiefgegangen. Versuchen Sie es später noch einmal.",
    },
};
