# Made by packaging/pack from the archives of the release.
class ThebotLint < Formula
  desc "Chart validation and policy linter for Helm charts"
  homepage "https://thebot-lint.github.io"
  version "{{version}}"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "{{url aarch64-apple-darwin}}"
      sha256 "{{sha256 aarch64-apple-darwin}}"
    end
    on_intel do
      url "{{url x86_64-apple-darwin}}"
      sha256 "{{sha256 x86_64-apple-darwin}}"
    end
  end
  on_linux do
    on_arm do
      url "{{url aarch64-unknown-linux-gnu}}"
      sha256 "{{sha256 aarch64-unknown-linux-gnu}}"
    end
    on_intel do
      url "{{url x86_64-unknown-linux-gnu}}"
      sha256 "{{sha256 x86_64-unknown-linux-gnu}}"
    end
  end

  def install
    bin.install "thebot-lint"
    generate_completions_from_executable(bin/"thebot-lint", "completions")
    (man1/"thebot-lint.1").write Utils.safe_popen_read(bin/"thebot-lint", "man")
  end

  test do
    (testpath/"chart/Chart.yaml").write "apiVersion: v2\nname: chart\nversion: 1.0.0\n"
    (testpath/"chart/templates/a.yaml").write "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndate: {}\n"
    output = shell_output("#{bin}/thebot-lint chart --select kubernetes --format concise", 1)
    assert_match "unknown-field", output
  end
end
