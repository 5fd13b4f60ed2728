//! Page texts in simplified Chinese.

use super::{ErrorTexts, FormPage, Home, Notice, OwnPassword, Translations};

pub(super) const WORDS: Translations = Translations {
    fault: "错误",
    home: Home {
        title: "账户与登录",
        text: "应用和网站通过本服务为用户提供登录。如需登录，请返回您刚才使用的应用或网站。",
        account: "您的账户",
        reset: "重置忘记的密码",
        verify: "验证您的电子邮箱",
        developers: "开发者",
        docs: "试用 API（Swagger UI）",
        redoc: "阅读 API 参考（ReDoc）",
        document: "打开 OpenAPI 文档",
    },
    verify: FormPage {
        title: "确认您的电子邮箱", text: "请点击按钮，确认此邮箱属于您本人。", button: "确认邮箱"
    },
    change: FormPage {
        title: "确认您的新电子邮箱",
        text: "点击按钮后，此邮箱将成为您账户的邮箱，其他设备将退出登录。",
        button: "使用此邮箱",
    },
    undo: FormPage {
        title: "撤销邮箱更改",
        text: "点击按钮后，您的账户将恢复使用收到我们邮件的邮箱，所有设备都将退出登录。",
        button: "撤销更改",
    },
    reset: FormPage {
        title: "设置新密码", text: "您将在所有设备上退出登录。", button: "保存密码"
    },
    verified: Notice { title: "您的邮箱已确认", text: "您可以用它登录。" },
    changed: Notice { title: "您的新邮箱已确认", text: "今后请用它登录。" },
    undone: Notice { title: "您原来的邮箱已恢复", text: "所有设备都已退出您的账户。" },
    password_changed: Notice {
        title: "您的密码已更改", text: "您已在所有设备上退出登录。请用新密码登录。"
    },
    others_signed_out: "其他设备已退出登录。",
    own_password: OwnPassword {
        label: "请输入您设置的密码",
        hint: "这样您可以保留它。",
        none: FormPage {
            title: "没有设置过密码？",
            text: "可能是别人使用了您的邮箱。对方的密码将失效，您可以设置新密码。",
            button: "我没有设置过：设置新密码",
        },
    },
    offer_removed: Notice { title: "设置新密码", text: "此账户原来的密码已失效。" },
    offer_undone: Notice { title: "设置新密码", text: "更改邮箱的人可能知道您的密码。" },
    dead: Notice {
        title: "此链接已失效",
        text: "它已被使用、已过期，或已被更新的邮件取代。如果您刚刚点击过它的按钮，则一切正常：链接只能使用一次。",
    },
    ask_verification: FormPage {
        title: "重新发送邮件",
        text: "请输入您的邮箱，我们会向您发送新的确认链接。",
        button: "发送邮件",
    },
    ask_reset: FormPage {
        title: "忘记密码？",
        text: "请输入您账户的邮箱，我们会向您发送设置新密码的链接。",
        button: "发送邮件",
    },
    sent_verification: Notice {
        title: "请查看您的邮箱",
        text: "如果此邮箱尚待确认，邮件已在途中。链接在 24 小时内有效。",
    },
    sent_reset: Notice {
        title: "请查看您的邮箱",
        text: "如果存在使用此邮箱的账户，邮件已在途中。链接在 30 分钟内有效。",
    },
    email: "电子邮箱",
    password: "新密码",
    password_hint: "至少 {n} 个字符。",
    repetition: "再次输入新密码",
    faults: ErrorTexts {
        email: "请输入电子邮箱，例如 name@example.com。",
        too_short: "密码至少需要 {n} 个字符。",
        too_long: "密码最多 {n} 个字符。",
        common: "使用此密码的人太多。请换一个。",
        differs: "两次输入的密码不一致。",
        wrong_password: "密码不正确。请重试，或设置新密码。",
        taken: "此邮箱现已属于另一个账户。",
        limited: "尝试次数过多。请稍后再试。",
        unavailable: "目前无法完成操作。请稍后再试。",
        foreign: "此表单来自其他网站。请打开邮件中的链接，并使用那里的表单。",
        unreadable: "无法读取表单。请重新打开邮件中的链接。",
        unexpected: "出现问题。请稍后再试。",
    },
};
