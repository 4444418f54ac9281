// Places of the joints of each animation in a .glb as three.js has them, as JSON: arguments are the
// file and the times in seconds.
import fs from "fs";
import { AnimationMixer } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

const [file, ...times] = process.argv.slice(2);
const bytes = fs.readFileSync(file);
globalThis.self = globalThis;
new GLTFLoader().parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), "", (gltf) => {
  const clips = gltf.animations.map((clip) => {
    const mixer = new AnimationMixer(gltf.scene);
    const action = mixer.clipAction(clip).play();
    action.clampWhenFinished = true;
    action.setLoop(2200);
    const frames = times.map((time) => {
      mixer.setTime(Number(time));
      gltf.scene.updateMatrixWorld(true);
      const places = {};
      gltf.scene.traverse((node) => {
        if (node.isBone) places[node.userData.name ?? node.name] = node.matrixWorld.elements.slice(12, 15);
      });
      return places;
    });
    mixer.stopAllAction();
    return frames;
  });
  let meshes = 0;
  gltf.scene.traverse((node) => (meshes += node.isSkinnedMesh ? 1 : 0));
  console.log(JSON.stringify({ clips, meshes }));
});
