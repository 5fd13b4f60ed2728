//! Page texts in Spanish.

use super::{ErrorTexts, FormPage, Home, Notice, OwnPassword, Translations};

pub(super) const WORDS: Translations = Translations {
    fault: "Error",
    home: Home {
        title: "Cuentas e inicio de sesión",
        text: "Aplicaciones y sitios web inician sesiones con este servicio. Para iniciar sesión, vuelve a la aplicación de la que vienes.",
        account: "Tu cuenta",
        reset: "Restablecer una contraseña olvidada",
        verify: "Confirmar tu dirección de correo",
        developers: "Para desarrolladores",
        docs: "Probar la API (Swagger UI)",
        redoc: "Leer la referencia de la API (ReDoc)",
        document: "Abrir el documento OpenAPI",
    },
    verify: FormPage {
        title: "Confirma tu dirección de correo",
        text: "Pulsa el botón para confirmar que esta dirección es tuya.",
        button: "Confirmar dirección",
    },
    change: FormPage {
        title: "Confirma tu nueva dirección de correo",
        text: "Pulsa el botón para que esta sea la dirección de tu cuenta. Se cerrará la sesión en tus otros dispositivos.",
        button: "Usar esta dirección",
    },
    undo: FormPage {
        title: "Deshacer el cambio de dirección",
        text: "Pulsa el botón para devolver a tu cuenta la dirección a la que se envió nuestro mensaje. \
               Se cerrarán todas las sesiones de la cuenta.",
        button: "Deshacer el cambio",
    },
    reset: FormPage {
        title: "Elige una nueva contraseña",
        text: "Se cerrará la sesión en todos tus dispositivos.",
        button: "Guardar contraseña",
    },
    verified: Notice { title: "Tu dirección está confirmada", text: "Puedes iniciar sesión con ella." },
    changed: Notice {
        title: "Tu nueva dirección está confirmada", text: "A partir de ahora, inicia sesión con ella."
    },
    undone: Notice {
        title: "Has recuperado tu dirección anterior",
        text: "Se cerraron todas las sesiones de tu cuenta.",
    },
    password_changed: Notice {
        title: "Tu contraseña ha cambiado",
        text: "Se cerró la sesión en todos tus dispositivos. Inicia sesión con la nueva contraseña.",
    },
    others_signed_out: "Se cerró la sesión en los demás dispositivos.",
    own_password: OwnPassword {
        label: "Escribe la contraseña que elegiste",
        hint: "Así la conservas.",
        none: FormPage {
            title: "¿No elegiste ninguna?",
            text: "Quizá otra persona usó tu dirección. Su contraseña dejará de funcionar y podrás elegir una nueva.",
            button: "No elegí ninguna: elegir una contraseña nueva",
        },
    },
    offer_removed: Notice {
        title: "Elige una nueva contraseña",
        text: "La contraseña que tenía esta cuenta ya no funciona.",
    },
    offer_undone: Notice {
        title: "Elige una nueva contraseña",
        text: "Quien cambió la dirección quizá conozca tu contraseña.",
    },
    dead: Notice {
        title: "Este enlace ya no es válido",
        text: "Se ha usado, es demasiado antiguo o un mensaje más reciente lo ha sustituido. \
               Si acabas de pulsar su botón, todo está bien: sirve una sola vez.",
    },
    ask_verification: FormPage {
        title: "Pedir un mensaje nuevo",
        text: "Escribe tu dirección y te enviaremos un nuevo enlace para confirmarla.",
        button: "Enviar mensaje",
    },
    ask_reset: FormPage {
        title: "¿Has olvidado tu contraseña?",
        text: "Escribe la dirección de tu cuenta y te enviaremos un enlace para elegir una nueva contraseña.",
        button: "Enviar mensaje",
    },
    sent_verification: Notice {
        title: "Mira tu buzón de correo",
        text: "Si esta dirección está por confirmar, hay un mensaje en camino. Su enlace es válido durante 24 horas.",
    },
    sent_reset: Notice {
        title: "Mira tu buzón de correo",
        text: "Si existe una cuenta con esta dirección, hay un mensaje en camino. Su enlace es válido durante 30 minutos.",
    },
    email: "Dirección de correo",
    password: "Nueva contraseña",
    password_hint: "Al menos {n} caracteres.",
    repetition: "Repite la nueva contraseña",
    faults: ErrorTexts {
        email: "Escribe una dirección de correo, por ejemplo nombre@example.com.",
        too_short: "La contraseña debe tener al menos {n} caracteres.",
        too_long: "La contraseña puede tener como máximo {n} caracteres.",
        common: "Demasiadas personas usan esta contraseña. Elige otra.",
        differs: "Las dos contraseñas no coinciden.",
        wrong_password: "Esa no es la contraseña. Inténtalo de nuevo o elige una nueva.",
        taken: "Otra cuenta ya tiene esta dirección.",
        limited: "Demasiados intentos. Vuelve a intentarlo más tarde.",
        unavailable: "Ahora mismo no funciona. Vuelve a intentarlo dentro de un momento.",
        foreign: "El formulario se envió desde otro sitio. Abre el enlace de tu mensaje y usa el formulario que hay allí.",
        unreadable: "No se pudo leer el formulario. Abre de nuevo el enlace de tu mensaje.",
        unexpected: "Algo ha salido mal. Vuelve a intentarlo más tarde.",
    },
};
