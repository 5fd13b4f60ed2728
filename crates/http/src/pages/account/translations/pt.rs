//! Page texts in Portuguese.

use super::{ErrorTexts, FormPage, Home, Notice, OwnPassword, Translations};

pub(super) const WORDS: Translations = Translations {
    fault: "Erro",
    home: Home {
        title: "Contas e acesso",
        text: "Aplicativos e sites autenticam pessoas por este serviço. Para entrar, volte ao aplicativo ou site de onde você veio.",
        account: "Sua conta",
        reset: "Redefinir uma senha esquecida",
        verify: "Confirmar seu endereço de e-mail",
        developers: "Para desenvolvedores",
        docs: "Experimentar a API (Swagger UI)",
        redoc: "Ler a referência da API (ReDoc)",
        document: "Abrir o documento OpenAPI",
    },
    verify: FormPage {
        title: "Confirme o seu endereço de e-mail",
        text: "Carregue no botão para confirmar que este endereço é seu.",
        button: "Confirmar endereço",
    },
    change: FormPage {
        title: "Confirme o seu novo endereço de e-mail",
        text: "Carregue no botão para que este passe a ser o endereço da sua conta. \
               A sessão será terminada nos outros dispositivos.",
        button: "Usar este endereço",
    },
    undo: FormPage {
        title: "Anular a mudança de endereço",
        text: "Carregue no botão para devolver à sua conta o endereço para o qual a nossa mensagem foi enviada. \
               Todas as sessões da conta serão terminadas.",
        button: "Anular a mudança",
    },
    reset: FormPage {
        title: "Escolha uma nova senha",
        text: "A sessão será terminada em todos os dispositivos.",
        button: "Guardar senha",
    },
    verified: Notice { title: "O seu endereço está confirmado", text: "Pode iniciar sessão com ele." },
    changed: Notice {
        title: "O seu novo endereço está confirmado", text: "A partir de agora, inicie sessão com ele."
    },
    undone: Notice {
        title: "O seu endereço anterior foi reposto",
        text: "Todas as sessões da sua conta foram terminadas.",
    },
    password_changed: Notice {
        title: "A sua senha foi alterada",
        text: "A sessão foi terminada em todos os dispositivos. Inicie sessão com a nova senha.",
    },
    others_signed_out: "A sessão foi terminada nos outros dispositivos.",
    own_password: OwnPassword {
        label: "Escreva a senha que escolheu",
        hint: "Assim fica com ela.",
        none: FormPage {
            title: "Não escolheu nenhuma?",
            text: "Talvez outra pessoa tenha usado o seu endereço. A senha dela deixará de funcionar e poderá escolher uma nova.",
            button: "Não escolhi nenhuma: escolher uma nova senha",
        },
    },
    offer_removed: Notice { title: "Escolha uma nova senha", text: "A senha que esta conta tinha já não funciona." },
    offer_undone: Notice {
        title: "Escolha uma nova senha", text: "Quem mudou o endereço talvez conheça a sua senha."
    },
    dead: Notice {
        title: "Esta ligação já não é válida",
        text: "Foi usada, é demasiado antiga ou foi substituída por uma mensagem mais recente. \
               Se acabou de carregar no botão, está tudo bem: só funciona uma vez.",
    },
    ask_verification: FormPage {
        title: "Pedir uma nova mensagem",
        text: "Escreva o seu endereço e enviaremos uma nova ligação para o confirmar.",
        button: "Enviar mensagem",
    },
    ask_reset: FormPage {
        title: "Esqueceu-se da senha?",
        text: "Escreva o endereço da sua conta e enviaremos uma ligação para escolher uma nova senha.",
        button: "Enviar mensagem",
    },
    sent_verification: Notice {
        title: "Veja a sua caixa de correio",
        text: "Se este endereço está por confirmar, há uma mensagem a caminho. A ligação é válida durante 24 horas.",
    },
    sent_reset: Notice {
        title: "Veja a sua caixa de correio",
        text: "Se existe uma conta com este endereço, há uma mensagem a caminho. A ligação é válida durante 30 minutos.",
    },
    email: "Endereço de e-mail",
    password: "Nova senha",
    password_hint: "Pelo menos {n} caracteres.",
    repetition: "Repita a nova senha",
    faults: ErrorTexts {
        email: "Escreva um endereço de e-mail, por exemplo nome@example.com.",
        too_short: "A senha precisa de pelo menos {n} caracteres.",
        too_long: "A senha pode ter no máximo {n} caracteres.",
        common: "Demasiadas pessoas usam esta senha. Escolha outra.",
        differs: "As duas senhas não são iguais.",
        wrong_password: "Essa não é a senha. Tente de novo ou escolha uma nova.",
        taken: "Outra conta já tem este endereço.",
        limited: "Demasiadas tentativas. Tente de novo mais tarde.",
        unavailable: "De momento isto não funciona. Tente de novo dentro de instantes.",
        foreign: "O formulário foi enviado a partir de outro site. Abra a ligação da sua mensagem \
                  e use o formulário que lá está.",
        unreadable: "Não foi possível ler o formulário. Abra de novo a ligação da sua mensagem.",
        unexpected: "Algo correu mal. Tente de novo mais tarde.",
    },
};
