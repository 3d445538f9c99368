;;; What a person does in Emacs, in an open template: tells it as JSON in the file $TOLD.  -*- lexical-binding: t -*-
(require 'json)

(defun told-wait (what is-so)
  (let ((left 600))
    (while (not (funcall is-so))
      (when (< (setq left (1- left)) 0) (error "%s never came" what))
      (accept-process-output nil 0.1))))

(defun told-at (text)
  (goto-char (point-min))
  (search-forward text)
  (backward-char))

(defun told-session ()
  (let ((template (current-buffer)) told)
    (told-wait "the server" #'eglot-current-server)
    (told-wait "a diagnostic" #'flymake-diagnostics)
    (push (cons 'diagnostics (mapcar #'flymake-diagnostic-text (flymake-diagnostics))) told)
    (told-at ".Values.backend.autoscaling.minReplicas")
    (let ((hover (jsonrpc-request (eglot-current-server) :textDocument/hover (eglot--TextDocumentPositionParams))))
      (push (cons 'hover (plist-get (plist-get hover :contents) :value)) told))
    (told-at "thebot.labels")
    (call-interactively #'xref-find-definitions)
    (push (cons 'definition (list (file-name-nondirectory (buffer-file-name)) (string-trim (thing-at-point 'line t)))) told)
    (switch-to-buffer template)
    (told-at "thebot.labels")
    (eglot-rename "thebot.tags")
    (push (cons 'renamed (with-current-buffer template (buffer-string))) told)
    told))

(defun told-run ()
  (let ((told (condition-case why (told-session) (error (list (cons 'failure (error-message-string why)))))))
    (with-temp-file (getenv "TOLD") (insert (json-encode told)))
    (kill-emacs)))

;; Eglot connects once a command has ended.
(fset 'y-or-n-p #'always)
(run-with-idle-timer 0.5 nil #'told-run)
