// SPDX-License-Identifier: MIT
// node traceprocessor.js FOLDER SOCKET: Perfetto's trace processor as ui.perfetto.dev runs it, in WebAssembly, at a Unix socket.
"use strict";
const fs = require("fs"), net = require("net"), path = require("path"), vm = require("vm");
const [folder, socket] = process.argv.slice(2);

// What it finds in a worker of a page.
globalThis.self = globalThis;
globalThis.WorkerGlobalScope = Object;
globalThis.location = { href: "http://localhost/" };
globalThis.XMLHttpRequest = class {
    open(method, name) {
        this.response = new Uint8Array(fs.readFileSync(path.join(folder, path.basename(name))));
    }
    send() {}
};
// By a module of a memory alone it asks whether this machine has those of 64-bit addresses; here is one of 32-bit ones only.
WebAssembly.Module = new Proxy(WebAssembly.Module, {
    construct(of, args) {
        if (args[0][8] === 5) throw new Error("32-bit addresses only");
        return new of(...args);
    },
});
console.log = console.error;

vm.runInThisContext(fs.readFileSync(path.join(folder, "engine_bundle.node.js"), "utf8"));
const port = { postMessage: (data) => port.client.write(data) };
self.onmessage({ data: port });
net.createServer((client) => {
    port.client = client;
    client.on("data", (data) => port.onmessage({ data: new Uint8Array(data) }));
    client.on("end", () => process.exit(0));
}).listen(socket, () => console.log("listening"));
