// How a dialog is left: it closes, and `then` says at once where the focus goes. The browser's own event "close"
// comes later; until then the focus lies where the dialog was opened, and the next key would decide that class.
export function leaving(dialog, then) {
  const leave = () => { if (dialog.open) { dialog.close(); then(); } };
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); leave(); });
  return leave;
}
