//! Page texts in English.

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
        text: "Press the button to use this address for your account. Your other devices will be signed out.",
        button: "Use this address",
    },
    undo: FormPage {
        title: "Undo the email change",
        text: "Press the button to restore the address that our email was sent to. \
               Every device will be signed out.",
        button: "Undo the change",
    },
    reset: FormPage {
        title: "Set a new password",
        text: "You will be signed out on all devices.",
        button: "Save password",
    },
    verified: Notice { title: "Your address is confirmed", text: "You can sign in with it now." },
    changed: Notice { title: "Your new address is confirmed", text: "Sign in with it from now on." },
    undone: Notice { title: "Your old address is back", text: "Every device was signed out." },
    password_changed: Notice {
        title: "Your password was changed",
        text: "You were signed out on all devices. Sign in with your new password.",
    },
    others_signed_out: "Other devices were signed out.",
    own_password: OwnPassword {
        label: "Enter the password you chose",
        hint: "If it is right, it stays your password.",
        none: FormPage {
            title: "You didn't choose a password?",
            text: "Someone else may have used your address. Their password will stop working, and you can set your own.",
            button: "I didn't choose one: set a new password",
        },
    },
    offer_removed: Notice { title: "Set a new password", text: "The password this account had no longer works." },
    offer_undone: Notice {
        title: "Set a new password",
        text: "The person who changed the address may know your password.",
    },
    dead: Notice {
        title: "This link has expired",
        text: "It was used before, it is too old, or a newer email replaced it. \
               If you just pressed its button, everything is fine: a link works once.",
    },
    ask_verification: FormPage {
        title: "Request a new link",
        text: "Enter your email address, and we'll send you a new link to confirm it.",
        button: "Send link",
    },
    ask_reset: FormPage {
        title: "Forgot your password?",
        text: "Enter the email address of your account, and we'll send you a link to set a new password.",
        button: "Send link",
    },
    sent_verification: Notice {
        title: "Check your inbox",
        text: "If this address still needs to be confirmed, we've sent you an email. Its link is valid for 24 hours.",
    },
    sent_reset: Notice {
        title: "Check your inbox",
        text: "If there is an account with this address, we've sent you an email. Its link is valid for 30 minutes.",
    },
    email: "Email address",
    password: "New password",
    password_hint: "At least {n} characters.",
    repetition: "Repeat the new password",
    faults: ErrorTexts {
        email: "Enter an email address, such as name@example.com.",
        too_short: "The password needs at least {n} characters.",
        too_long: "The password may have at most {n} characters.",
        common: "This password is too common. Choose another one.",
        differs: "The passwords don't match.",
        wrong_password: "Wrong password. Try again, or set a new one.",
        taken: "Another account now uses this address.",
        limited: "Too many attempts. Try again later.",
        unavailable: "We can't do this right now. Try again in a moment.",
        foreign: "This form was sent from another site. Open the link in your email and use the form there.",
        unreadable: "We couldn't read this form. Open the link in your email again.",
        unexpected: "Something went wrong. Try again later.",
    },
};
