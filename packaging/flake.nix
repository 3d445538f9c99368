# Made by packaging/pack from the archives of the release.
{
  description = "Chart validation and policy linter for Helm charts";
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  outputs = { self, nixpkgs }:
    let
      archives = {
        x86_64-linux = {
          url = "{{url x86_64-unknown-linux-gnu}}";
          sha256 = "{{sha256 x86_64-unknown-linux-gnu}}";
        };
        aarch64-linux = {
          url = "{{url aarch64-unknown-linux-gnu}}";
          sha256 = "{{sha256 aarch64-unknown-linux-gnu}}";
        };
        x86_64-darwin = {
          url = "{{url x86_64-apple-darwin}}";
          sha256 = "{{sha256 x86_64-apple-darwin}}";
        };
        aarch64-darwin = {
          url = "{{url aarch64-apple-darwin}}";
          sha256 = "{{sha256 aarch64-apple-darwin}}";
        };
      };
    in
    {
      packages = builtins.mapAttrs
        (system: archive: {
          default = nixpkgs.legacyPackages.${system}.stdenvNoCC.mkDerivation {
            pname = "thebot-lint";
            version = "{{version}}";
            src = nixpkgs.legacyPackages.${system}.fetchurl archive;
            sourceRoot = ".";
            installPhase = "install -Dm755 thebot-lint $out/bin/thebot-lint";
            meta.mainProgram = "thebot-lint";
          };
        })
        archives;
    };
}
