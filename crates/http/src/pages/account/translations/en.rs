//! The pages in English.

use super::{ErrorTexts, FormPage, Home, Notice, OwnPassword, Translations};

pub(super) const WORDS: Translations = Translations {
    fault: "Error",
    home: Home {
        title: "Accounts and sign-in",
        text: "Apps and websites sign people in through this service. To sign in, go back to the one you came from.",
        account: "Your account",
        reset: "Reset a forgotten password",
        verify: "Confirm your email address",
        developers: "For developers",
        docs: "Try the API (Swagger UI)",
        redoc: "Read the API reference (ReDoc)",
        document: "Open the OpenAPI document",
    },
    verify: FormPage {
        title: "Confirm your email address",
        text: "Press the button to confirm that this address is yours.",
        button: "Confirm address",
    },
    change: FormPage {
        title: "Confirm your new email address",
        text: "Press the button, and this becomes the address of your account. You will be signed out on other devices.",
        button: "Use this address",
    },
    undo: FormPage {
        title: "Undo the change of address",
        text: "Press the button to give your account back the address that our mail was sent to. \
               Everybody who is signed in to it will be signed out.",
        button: "Undo the change",
    },
    reset: FormPage {
        title: "Set a new password",
        text: "You will be signed out on all devices.",
        button: "Save password",
    },
    verified: Notice { title: "Your address is confirmed", text: "You can sign in with it." },
    changed: Notice { title: "Your new address is confirmed", text: "Sign in with it from now on." },
    undone: Notice { title: "Your old address is back", text: "Everybody was signed out of your account." },
    password_changed: Notice {
        title: "Your password is changed",
        text: "You were signed out on all devices. Sign in with your new password.",
    },
    others_signed_out: "Other devices were signed out.",
    own_password: OwnPassword {
        label: "Enter the password you chose",
        hint: "Then you keep it.",
        none: FormPage {
            title: "No password of yours?",
            text: "Someone else may have used your address. Their password will stop working, and you can set a new one.",
            button: "I didn't choose one: set a new password",
        },
    },
    offer_removed: Notice { title: "Set a new password", text: "The password this account had no longer works." },
    offer_undone: Notice {
        title: "Set a new password",
        text: "The person who changed the address may know your password.",
    },
    dead: Notice {
        title: "This link is no longer good",
        text: "It was used, it is too old, or a newer mail has taken its place. \
               If you have just pressed its button, all is well: it works once.",
    },
    ask_verification: FormPage {
        title: "Ask for a new mail",
        text: "Enter your address, and we will send you a new link to confirm it.",
        button: "Send mail",
    },
    ask_reset: FormPage {
        title: "Forgot your password?",
        text: "Enter the address of your account, and we will send you a link to set a new password.",
        button: "Send mail",
    },
    sent_verification: Notice {
        title: "Look into your mailbox",
        text: "If this address waits to be confirmed, a mail is on its way. Its link is good for 24 hours.",
    },
    sent_reset: Notice {
        title: "Look into your mailbox",
        text: "If there is an account with this address, a mail is on its way. Its link is good for 30 minutes.",
    },
    email: "Email address",
    password: "New password",
    password_hint: "At least {n} characters.",
    repetition: "The new password again",
    faults: ErrorTexts {
        email: "Enter an email address, such as name@example.com.",
        too_short: "The password needs at least {n} characters.",
        too_long: "The password may have at most {n} characters.",
        common: "Too many people use this password. Choose another.",
        differs: "The two passwords are not the same.",
        wrong_password: "That is not the password. Try again, or set a new one.",
        taken: "Another account has this address by now.",
        limited: "That was tried too often. Try again later.",
        unavailable: "This does not work right now. Try again in a moment.",
        foreign: "The form was sent from another site. Open the link in your mail, and use the form there.",
        unreadable: "The form could not be read. Open the link in your mail again.",
        unexpected: "Something went wrong. Try again later.",
    },
};
