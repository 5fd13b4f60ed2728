// Starts Swagger UI on /docs. A file of its own: the page's policy allows no inline script.
// The service may be reached below a path: everything is found from this file's own address.
const base = new URL("../../", document.currentScript.src);
const description = new URL("openapi.json", base).href;

// Swagger UI resolves relative addresses against the page's own, which may end in a slash.
function withAbsoluteAddresses(text) {
  const spec = JSON.parse(text);
  for (const server of spec.servers) server.url = new URL(server.url, base).href;
  for (const scheme of Object.values(spec.components.securitySchemes)) {
    const flow = scheme.flows?.password;
    if (flow) flow.tokenUrl = new URL(flow.tokenUrl, base).href;
  }
  return JSON.stringify(spec);
}

window.ui = SwaggerUIBundle({
  url: description,
  responseInterceptor: (response) => {
    if (response.url === description && response.ok) response.text = withAbsoluteAddresses(response.text);
    return response;
  },
  dom_id: "#swagger-ui",
  layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  displayOperationId: false,
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  validatorUrl: null,
});
