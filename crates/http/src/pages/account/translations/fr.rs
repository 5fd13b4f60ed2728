//! Page texts in French.

use super::{ErrorTexts, FormPage, Home, Notice, OwnPassword, Translations};

pub(super) const WORDS: Translations = Translations {
    fault: "Erreur",
    home: Home {
        title: "Comptes et connexion",
        text: "Des applications et des sites web connectent leurs utilisateurs par ce service. Pour vous connecter, retournez là d’où vous venez.",
        account: "Votre compte",
        reset: "Réinitialiser un mot de passe oublié",
        verify: "Confirmer votre adresse e-mail",
        developers: "Pour les développeurs",
        docs: "Essayer l’API (Swagger UI)",
        redoc: "Lire la référence de l’API (ReDoc)",
        document: "Ouvrir le document OpenAPI",
    },
    verify: FormPage {
        title: "Confirmez votre adresse e-mail",
        text: "Appuyez sur le bouton pour confirmer que cette adresse est la vôtre.",
        button: "Confirmer l’adresse",
    },
    change: FormPage {
        title: "Confirmez votre nouvelle adresse e-mail",
        text: "Appuyez sur le bouton pour que cette adresse devienne celle de votre compte. \
               Vous serez déconnecté de vos autres appareils.",
        button: "Utiliser cette adresse",
    },
    undo: FormPage {
        title: "Annuler le changement d’adresse",
        text: "Appuyez sur le bouton pour rendre à votre compte l’adresse à laquelle notre message a été envoyé. \
               Tous les appareils connectés seront déconnectés.",
        button: "Annuler le changement",
    },
    reset: FormPage {
        title: "Choisissez un nouveau mot de passe",
        text: "Vous serez déconnecté de tous vos appareils.",
        button: "Enregistrer le mot de passe",
    },
    verified: Notice { title: "Votre adresse est confirmée", text: "Vous pouvez vous connecter avec elle." },
    changed: Notice {
        title: "Votre nouvelle adresse est confirmée", text: "Connectez-vous désormais avec celle-ci."
    },
    undone: Notice {
        title: "Votre ancienne adresse est rétablie",
        text: "Tous les appareils ont été déconnectés de votre compte.",
    },
    password_changed: Notice {
        title: "Votre mot de passe est modifié",
        text: "Vous avez été déconnecté de tous vos appareils. Connectez-vous avec le nouveau mot de passe.",
    },
    others_signed_out: "Les autres appareils ont été déconnectés.",
    own_password: OwnPassword {
        label: "Saisissez le mot de passe que vous avez choisi",
        hint: "Vous le conserverez.",
        none: FormPage {
            title: "Pas de mot de passe à vous ?",
            text: "Quelqu’un d’autre a peut-être utilisé votre adresse. Son mot de passe ne fonctionnera plus, et vous pourrez en choisir un nouveau.",
            button: "Je n’en ai pas choisi : choisir un nouveau mot de passe",
        },
    },
    offer_removed: Notice {
        title: "Choisissez un nouveau mot de passe",
        text: "L’ancien mot de passe de ce compte ne fonctionne plus.",
    },
    offer_undone: Notice {
        title: "Choisissez un nouveau mot de passe",
        text: "La personne qui a changé l’adresse connaît peut-être votre mot de passe.",
    },
    dead: Notice {
        title: "Ce lien n’est plus valable",
        text: "Il a été utilisé, il est trop ancien, ou un message plus récent l’a remplacé. \
               Si vous venez d’appuyer sur son bouton, tout va bien : il ne sert qu’une fois.",
    },
    ask_verification: FormPage {
        title: "Demander un nouveau message",
        text: "Saisissez votre adresse, et nous vous enverrons un nouveau lien de confirmation.",
        button: "Envoyer le message",
    },
    ask_reset: FormPage {
        title: "Mot de passe oublié ?",
        text: "Saisissez l’adresse de votre compte, et nous vous enverrons un lien pour choisir un nouveau mot de passe.",
        button: "Envoyer le message",
    },
    sent_verification: Notice {
        title: "Consultez votre messagerie",
        text: "Si cette adresse reste à confirmer, un message est en route. Son lien est valable 24 heures.",
    },
    sent_reset: Notice {
        title: "Consultez votre messagerie",
        text: "S’il existe un compte avec cette adresse, un message est en route. Son lien est valable 30 minutes.",
    },
    email: "Adresse e-mail",
    password: "Nouveau mot de passe",
    password_hint: "Au moins {n} caractères.",
    repetition: "Le nouveau mot de passe, encore une fois",
    faults: ErrorTexts {
        email: "Saisissez une adresse e-mail, par exemple nom@example.com.",
        too_short: "Le mot de passe doit avoir au moins {n} caractères.",
        too_long: "Le mot de passe peut avoir au plus {n} caractères.",
        common: "Trop de personnes utilisent ce mot de passe. Choisissez-en un autre.",
        differs: "Les deux mots de passe ne sont pas identiques.",
        wrong_password: "Ce n’est pas le mot de passe. Réessayez, ou choisissez-en un nouveau.",
        taken: "Un autre compte a désormais cette adresse.",
        limited: "Trop de tentatives. Réessayez plus tard.",
        unavailable: "Cela ne fonctionne pas pour le moment. Réessayez dans un instant.",
        foreign: "Le formulaire a été envoyé depuis un autre site. Ouvrez le lien de votre message \
                  et utilisez le formulaire qui s’y trouve.",
        unreadable: "Le formulaire n’a pas pu être lu. Ouvrez à nouveau le lien de votre message.",
        unexpected: "Une erreur s’est produite. Réessayez plus tard.",
    },
};
