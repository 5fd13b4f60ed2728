// Passkeys on the account pages. It fetches nothing: a form has the options and posts the response, so that errors are
// pages. Everything else on these pages works without it.
"use strict";

(() => {
  const webauthn = window.PublicKeyCredential;
  const forms = [...document.querySelectorAll("form[data-passkey]")];
  const loaded = Date.now();
  const field = document.querySelector('input[autocomplete~="webauthn"]');
  // Aborts the request behind the autofill of the field: only one request may wait.
  let autofill;

  const options = (form) => JSON.parse(form.dataset.options);
  const isStale = (form) => Date.now() - loaded > options(form).timeout - 10_000;
  const reload = () => window.location.replace(window.location.href);

  // Displays a message of the form, or none.
  const display = (form, fault) => {
    for (const message of form.querySelectorAll("[data-fault]")) message.hidden = message.dataset.fault !== fault;
  };

  // Browsers report a canceled dialog and one that took too long alike.
  const faults = { NotAllowedError: "canceled", AbortError: "canceled", InvalidStateError: "exists" };
  const explain = (form, error) => display(form, faults[error.name] ?? "failed");

  // Posts a response. Checkboxes that belong to both ways to sign in go with it.
  const post = (form, credential) => {
    form.elements.credential.value = JSON.stringify(credential.toJSON());
    for (const box of document.querySelectorAll("[data-shared]")) box.setAttribute("form", form.id);
    form.submit();
  };

  const respond = (form) => {
    if (form.dataset.passkey === "create") {
      return navigator.credentials.create({ publicKey: webauthn.parseCreationOptionsFromJSON(options(form)) });
    }
    return navigator.credentials.get({ publicKey: webauthn.parseRequestOptionsFromJSON(options(form)) });
  };

  const press = async (form) => {
    if (!webauthn?.parseRequestOptionsFromJSON) return display(form, "unsupported");
    if (isStale(form)) return reload();
    const button = form.querySelector("button");
    button.disabled = true;
    display(form);
    autofill?.abort();
    try {
      post(form, await respond(form));
    } catch (error) {
      explain(form, error);
      button.disabled = false;
      if (field) offer(form);
    }
  };

  // Offers passkeys in the autofill of the field for the email address.
  const offer = async (form) => {
    if (!(await webauthn?.isConditionalMediationAvailable?.()) || !webauthn.parseRequestOptionsFromJSON) return;
    const publicKey = webauthn.parseRequestOptionsFromJSON(options(form));
    autofill = new AbortController();
    const { signal } = autofill;
    try {
      post(form, await navigator.credentials.get({ publicKey, mediation: "conditional", signal }));
    } catch (error) {
      // A browser that has no passkey to offer reports it as a canceled dialog.
      if (!signal.aborted && faults[error.name] !== "canceled") explain(form, error);
    }
  };

  for (const form of forms) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      press(form);
    });
  }
  if (field && forms.length > 0) {
    offer(forms[0]);
    field.form.addEventListener("submit", () => autofill?.abort());
    // Options are valid for minutes only: renews those of a page that a person returns to, unless something was typed.
    document.addEventListener("visibilitychange", () => {
      const typed = [...document.querySelectorAll("main input")].some((input) => input.value !== input.defaultValue);
      if (document.visibilityState === "visible" && isStale(forms[0]) && !typed) reload();
    });
  }
  // Lets authenticators know which passkeys exist.
  for (const { dataset } of document.querySelectorAll("[data-signal]")) {
    webauthn?.[dataset.signal]?.(JSON.parse(dataset.argument)).catch(() => {});
  }
})();
