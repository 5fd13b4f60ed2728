// Starts ReDoc on /redoc. A file of its own: the page's policy allows no inline script.
// The service may be reached below a path: the document is found from this file's own address.
const description = new URL("../../openapi.json", document.currentScript.src).href;
Redoc.init(description, { hideDownloadButton: false, nativeScrollbars: true }, document.getElementById("redoc"));
