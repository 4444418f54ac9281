// Prints the errors that Khronos' validator finds in a .glb, one a line: code, then where.
const fs = require("fs");
const { validateBytes } = require("gltf-validator");

validateBytes(new Uint8Array(fs.readFileSync(process.argv[2])), { maxIssues: 0 }).then(({ issues }) => {
  for (const { code, severity, pointer } of issues.messages) if (severity === 0) console.log(code, pointer);
});
